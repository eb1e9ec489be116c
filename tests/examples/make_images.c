/* SPDX-License-Identifier: MIT */
/* Writes a small tree of images for tests of the programs: make_images DIR makes DIR/{train,test}/{bars,checks}/N.png
 * and .jpg, 12x12, with noise from a fixed seed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>
#include <png.h>

enum { SIDE = 12 };

static uint32_t state = 1;

static void draw(uint8_t pixels[SIDE][SIDE][3], int checks)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) {
                state = state * 1664525u + 1013904223u;
                const int bright = checks ? (x / 3 + y / 3) % 2 : x / 3 % 2;
                pixels[y][x][c] = (uint8_t)((bright ? 140 : 40) + state % 70);
            }
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_png(const char *path, uint8_t pixels[SIDE][SIDE][3])
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB};
    FILE *file = create(path);
    if (!png_image_write_to_stdio(&image, file, 0, pixels, 0, NULL) || fclose(file) != 0)
        exit(1);
}

static void write_jpeg(const char *path, uint8_t pixels[SIDE][SIDE][3])
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = create(path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = SIDE;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < SIDE; y++) {
        JSAMPROW row = &pixels[y][0][0];
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    if (fclose(file) != 0)
        exit(1);
}

static void make_class(const char *directory, const char *split, const char *name, int count)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, split);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", directory, split, name);
    mkdir(path, 0777);
    for (int i = 0; i < count; i++) {
        uint8_t pixels[SIDE][SIDE][3];
        draw(pixels, strcmp(name, "checks") == 0);
        snprintf(path, sizeof path, "%s/%s/%s/%03d.%s", directory, split, name, i, i % 2 ? "jpg" : "png");
        (i % 2 ? write_jpeg : write_png)(path, pixels);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    mkdir(argv[1], 0777);
    make_class(argv[1], "train", "bars", 300);
    make_class(argv[1], "train", "checks", 300);
    make_class(argv[1], "test", "bars", 10);
    make_class(argv[1], "test", "checks", 10);
    return 0;
}
