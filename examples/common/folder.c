/* SPDX-License-Identifier: MIT */
/* Data sets from folders of images. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "program.h"
#include "progress.h"

/* ---- names ---- */

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = allocate(size, 1);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool wanted(const char *folder, const char *name, bool images)
{
    struct stat about;
    if (name[0] == '.' || (images && !image_name(name)))
        return false;
    char *path = join(folder, name);
    bool found =
        stat(path, &about) == 0 && (images ? S_ISREG(about.st_mode) : S_ISDIR(about.st_mode));
    free(path);
    return found;
}

static name_list list(const char *folder, bool images)
{
    name_list names = {0};
    DIR *directory = opendir(folder);
    if (directory == NULL)
        fail("%s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!wanted(folder, entry->d_name, images))
            continue;
        names.names = realloc(names.names, (size_t)(names.count + 1) * sizeof *names.names);
        if (names.names == NULL)
            fail("%s: out of memory", folder);
        char *copy = allocate(strlen(entry->d_name) + 1, 1);
        names.names[names.count++] = strcpy(copy, entry->d_name);
    }
    closedir(directory);
    if (names.count == 0)
        fail("%s: there is no %s in it", folder,
             images ? ".jpg, .jpeg or .png image" : "folder of a class");
    qsort(names.names, (size_t)names.count, sizeof *names.names, compare_names);
    return names;
}

name_list folder_classes(const char *folder)
{
    return list(folder, false);
}

name_list folder_images(const char *folder)
{
    return list(folder, true);
}

void name_list_free(name_list *names)
{
    for (int32_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (name_list){0};
}

/* ---- sets ---- */

static void read_image(image *out, const char *path)
{
    char why[256];
    if (!image_read(out, path, why))
        fail("%s: %s", path, why);
}

/* Adds the images of one class; returns how many. */
static int32_t read_class(dirac_dataset *set, const char *folder, int32_t label, int32_t height,
                          int32_t width)
{
    name_list images = folder_images(folder);
    uint8_t *pixels = allocate(3 * (size_t)height * (size_t)width, 1);
    for (int32_t i = 0; i < images.count; i++) {
        image picture;
        char *path = join(folder, images.names[i]);
        read_image(&picture, path);
        image_fit(&picture, width, height, pixels);
        check(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_INTERLEAVED, &label, 1), path);
        image_free(&picture);
        free(path);
    }
    int32_t count = images.count;
    free(pixels);
    name_list_free(&images);
    return count;
}

static int32_t class_index(const name_list *classes, const char *name)
{
    for (int32_t i = 0; i < classes->count; i++)
        if (strcmp(classes->names[i], name) == 0)
            return i;
    return -1;
}

dirac_dataset *folder_read(dirac_context *context, const char *directory, const char *split,
                           const name_list *classes, int32_t height, int32_t width)
{
    dirac_dataset *set;
    check(dirac_dataset_create_images(&set, context, 3, height, width), directory);
    for (int32_t i = 0; i < classes->count; i++)
        check(dirac_dataset_set_class_name(set, i, classes->names[i]), classes->names[i]);
    char *folder = join(directory, split);
    name_list found = folder_classes(folder);
    progress bar;
    progress_begin(&bar, 0);
    for (int32_t i = 0, read = 0; i < found.count; i++) {
        char *path = join(folder, found.names[i]);
        int32_t label = class_index(classes, found.names[i]);
        if (label < 0)
            fail("%s: there is no such class in %s/train", path, directory);
        read += read_class(set, path, label, height, width);
        free(path);
        progress_show(&bar, folder, (i + 1.0) / found.count, "reading", read,
                      (int64_t)read * found.count / (i + 1), "images");
    }
    progress_clear(&bar);
    name_list_free(&found);
    free(folder);
    return set;
}

void folder_first_size(const char *directory, const char *split, const name_list *classes,
                       int32_t *height, int32_t *width)
{
    char *folder = join(directory, split), *class_folder = join(folder, classes->names[0]);
    name_list images = folder_images(class_folder);
    char *path = join(class_folder, images.names[0]);
    image picture;
    read_image(&picture, path);
    *height = picture.height;
    *width = picture.width;
    image_free(&picture);
    free(path);
    name_list_free(&images);
    free(class_folder);
    free(folder);
}
