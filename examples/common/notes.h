/* SPDX-License-Identifier: MIT */
/*
 * What these programs keep with a net in its model file, so that a model can be used without the data it learned from:
 * "classes", one name a line, and "mean" and "std", a number a channel, in units of 0 to 255.
 */
#ifndef COMMON_NOTES_H
#define COMMON_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/dirac.h>

/* Keeps the names of the set's classes; those without a name are called by their number. */
void notes_set_classes(dirac_net *net, const dirac_dataset *set);
/* Copies the name of class `index` to `name`: its number if the net has no names. */
void notes_class(const dirac_net *net, int32_t index, char name[128]);
/* Keeps numbers under a key. */
void notes_set_numbers(dirac_net *net, const char *key, const float *values, int64_t count);
/* Reads them; false if the key is not there or does not hold exactly `count` numbers. */
bool notes_numbers(const dirac_net *net, const char *key, float *values, int64_t count);

#endif
