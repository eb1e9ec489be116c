/* SPDX-License-Identifier: MIT */
/* JPEG files with libjpeg, which calls back when it fails and must not be returned to then. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#include "image_formats.h"

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf back;
    char *why;
} jpeg_errors;

static void jpeg_fail(j_common_ptr decoder)
{
    jpeg_errors *errors = (jpeg_errors *)decoder->err;
    char message[JMSG_LENGTH_MAX];
    errors->base.format_message(decoder, message);
    snprintf(errors->why, 256, "%.*s", 255, message);
    longjmp(errors->back, 1);
}

/* A warning (level < 0) that pixels are missing is a failure; others are passed over in silence. */
static void jpeg_message(j_common_ptr decoder, int level)
{
    int code = decoder->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
        jpeg_fail(decoder);
}

bool image_read_jpeg(image *out, FILE *file, char why[256])
{
    struct jpeg_decompress_struct decoder;
    jpeg_errors errors = {.why = why};
    decoder.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = jpeg_fail;
    errors.base.emit_message = jpeg_message;
    out->pixels = NULL;
    if (setjmp(errors.back) != 0) {
        jpeg_destroy_decompress(&decoder);
        return false;
    }
    jpeg_create_decompress(&decoder);
    jpeg_stdio_src(&decoder, file);
    jpeg_read_header(&decoder, TRUE);
    decoder.out_color_space = JCS_RGB;
    if (image_too_large(decoder.image_width, decoder.image_height, why)) {
        jpeg_destroy_decompress(&decoder);
        return false;
    }
    jpeg_start_decompress(&decoder);
    size_t row = 3 * (size_t)decoder.output_width;
    out->width = (int32_t)decoder.output_width;
    out->height = (int32_t)decoder.output_height;
    out->pixels = malloc(row * decoder.output_height);
    if (out->pixels == NULL) {
        snprintf(why, 256, "out of memory");
        jpeg_destroy_decompress(&decoder);
        return false;
    }
    while (decoder.output_scanline < decoder.output_height) {
        JSAMPROW line = out->pixels + row * decoder.output_scanline;
        jpeg_read_scanlines(&decoder, &line, 1);
    }
    jpeg_finish_decompress(&decoder);
    jpeg_destroy_decompress(&decoder);
    return true;
}
