/* SPDX-License-Identifier: MIT */
/* Class names and normalisation kept with a net. */
#include "notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

void notes_set_classes(dirac_net *net, const dirac_dataset *set)
{
    int32_t classes = dirac_dataset_classes(set);
    size_t size = 1;
    for (int32_t i = 0; i < classes; i++) {
        const char *name = dirac_dataset_class_name(set, i);
        size += name != NULL ? strlen(name) + 1 : 12;
    }
    char *text = allocate(size, 1), *end = text;
    for (int32_t i = 0; i < classes; i++) {
        const char *name = dirac_dataset_class_name(set, i), *newline = i + 1 < classes ? "\n" : "";
        if (name != NULL)
            end += sprintf(end, "%s%s", name, newline);
        else
            end += sprintf(end, "%d%s", (int)i, newline);
    }
    check(dirac_net_set_note(net, "classes", text), "keeping the classes' names");
    free(text);
}

void notes_class(const dirac_net *net, int32_t index, char name[128])
{
    const char *line = dirac_net_note(net, "classes");
    for (int32_t i = 0; line != NULL && i < index; i++) {
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    if (line == NULL || line[0] == '\0')
        snprintf(name, 128, "class %d", (int)index);
    else
        snprintf(name, 128, "%.*s", (int)strcspn(line, "\n"), line);
}

void notes_set_numbers(dirac_net *net, const char *key, const float *values, int64_t count)
{
    char text[1024] = "";
    size_t used = 0;
    for (int64_t i = 0; i < count && used < sizeof text - 32; i++)
        used += (size_t)sprintf(text + used, "%s%.9g", i > 0 ? "," : "", (double)values[i]);
    check(dirac_net_set_note(net, key, text), key);
}

bool notes_numbers(const dirac_net *net, const char *key, float *values, int64_t count)
{
    const char *text = dirac_net_note(net, key);
    if (text == NULL)
        return false;
    for (int64_t i = 0; i < count; i++) {
        char *end;
        values[i] = strtof(text, &end);
        if (end == text || *end != (i + 1 < count ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}
