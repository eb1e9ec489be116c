/* SPDX-License-Identifier: MIT */
/* UTF-8, as strictly as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character that begins `text`, of which `size` >= 1 bytes are there; 0 if it is malformed. */
size_t dirac__utf8_character(const char *text, size_t size);
/* Whether all of `text` is well-formed. */
bool dirac__utf8_valid(const char *text, size_t size);
/* The length at most `size` at which `text`, which goes on behind `size`, can be cut between two characters. */
size_t dirac__utf8_cut(const char *text, size_t size);

#endif
