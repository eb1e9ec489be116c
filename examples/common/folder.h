/* SPDX-License-Identifier: MIT */
/* Data sets from folders of images: <folder>/<class>/<image>.jpg, .jpeg or .png. */
#ifndef COMMON_FOLDER_H
#define COMMON_FOLDER_H

#include <stdint.h>

#include <dirac/dirac.h>

typedef struct {
    int32_t count;
    char **names;
} name_list;

/* The names in a folder, in the order of their bytes: its folders, or its images. Ends the program when it cannot. */
name_list folder_classes(const char *folder);
name_list folder_images(const char *folder);
void name_list_free(name_list *names);

/*
 * Reads every image of <directory>/<split>/<class>/ into a set of (3, height, width); others are scaled to cover that
 * and cut. Labels are the places in `classes`. Ends the program with the place named: a class that is not in `classes`,
 * a folder without images, a file that is no whole image.
 */
dirac_dataset *folder_read(dirac_context *context, const char *directory, const char *split,
                           const name_list *classes, int32_t height, int32_t width);
/* The size of the first image of the first class. */
void folder_first_size(const char *directory, const char *split, const name_list *classes,
                       int32_t *height, int32_t *width);

#endif
