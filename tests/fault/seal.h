/* SPDX-License-Identifier: MIT */
/* Changed files whose checksum is right again. */
#ifndef FAULT_SEAL_H
#define FAULT_SEAL_H

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline unsigned char *find_text(unsigned char *bytes, size_t size, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(bytes + i, text, length) == 0)
            return bytes + i;
    return NULL;
}

/* Puts the checksum right, as far as its place can still be found. */
static inline void seal(unsigned char *bytes, size_t size)
{
    static const char key[] = "\"dirac.checksum\":\"xxh64:";
    char digits[17];
    unsigned char *place = find_text(bytes, size, key);
    if (place == NULL || (size_t)(bytes + size - place) < sizeof key - 1 + 16)
        return;
    place += sizeof key - 1;
    memset(place, '0', 16);
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH64(bytes, size, 0));
    memcpy(place, digits, 16);
}

#endif
