/* SPDX-License-Identifier: MIT */
/* UTF-8: checking it and cutting it. */
#include "base/utf8.h"

/* Bytes of the character that `lead` begins; 1 for what begins none. */
static size_t utf8_length(unsigned char lead)
{
    if (lead >= 0xF0)
        return 4;
    if (lead >= 0xE0)
        return 3;
    return lead >= 0xC0 ? 2 : 1;
}

/* Table 3-7 of the Unicode standard: only the second byte's range depends on the first. */
size_t dirac__utf8_character(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t length = utf8_length(s[0]);
    if (s[0] < 0xC2 || s[0] > 0xF4 || size < length)
        return 0;
    unsigned least = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned most = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < least || s[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool dirac__utf8_valid(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t length = dirac__utf8_character(text + at, size - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t dirac__utf8_cut(const char *text, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        if ((byte & 0xC0) != 0x80)
            return start + utf8_length(byte) > size ? start : size;
    }
    return size; /* not UTF-8: nothing to keep whole */
}
