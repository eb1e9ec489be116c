/* SPDX-License-Identifier: MIT */
/* Calls two plugins of tests/install/two_versions.sh, linked (LINKED) or loaded, and prints a line each.
 * Usage: host [LIBRARY FUNCTION]... */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifdef LINKED
void plugin_0(char *text, size_t size);
void plugin_1(char *text, size_t size);

int main(void)
{
    char text[256];
    plugin_0(text, sizeof text);
    puts(text);
    plugin_1(text, sizeof text);
    puts(text);
    return 0;
}
#else
int main(int argc, char **argv)
{
    char text[256];
    for (int i = 1; i + 1 < argc; i += 2) {
        void (*plugin)(char *, size_t);
        /* RTLD_GLOBAL: the hardest case, every later library can see the names of this one. */
        void *library = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
        void *symbol = library ? dlsym(library, argv[i + 1]) : NULL;
        if (symbol == NULL)
            return fprintf(stderr, "%s\n", dlerror()), 1;
        memcpy(&plugin, &symbol, sizeof plugin);
        plugin(text, sizeof text);
        puts(text);
    }
    return 0;
}
#endif
