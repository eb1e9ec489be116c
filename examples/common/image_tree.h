/* SPDX-License-Identifier: MIT */
/*
 * A tree of large images, ImageNet's or any other, <directory>/{train,val}/<class>/<image> ("test" where there is no
 * "val"), read file by file as batches need them, by the ImageNet recipe. Training: a random part of the image, 8 to
 * 100 % of its area, sides 3:4 to 4:3, scaled to size x size, half of them mirrored. Test: scaled to 8/7 of the size,
 * the middle cut out. Both normalised by ImageNet's mean and deviation.
 */
#ifndef COMMON_IMAGE_TREE_H
#define COMMON_IMAGE_TREE_H

#include "feed.h"

typedef struct image_tree image_tree;

/* Lists the files. `threads` read at once. Ends the program, with the place named, when something cannot be read. */
image_tree *image_tree_open(dirac_context *context, const char *directory, int32_t size, int32_t threads);
void image_tree_close(image_tree *tree);
/* Batches of it. What is drawn for an image depends on the seed, the epoch and the image alone. */
feed image_tree_feed(image_tree *tree, int64_t batch, uint64_t seed);

#endif
