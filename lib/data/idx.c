/* SPDX-License-Identifier: MIT */
/* IDX: two zero bytes, the element type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
 * 32-bit number, then the elements. Both files are checked to the last byte before a sample is stored. */
#include "data/idx.h"

#include <inttypes.h>

#include "base/fail.h"
#include "data/dataset.h"
#include "io/read_file.h"

#define UNSIGNED_BYTE 8u

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Reads the header: 1 dimension for labels, 3 or 4 for images. *data receives where the elements begin. */
static int32_t parse_header(const dirac__idx_bytes *file, uint32_t least, uint32_t most,
                            uint32_t *dims, uint32_t *rank, size_t *data)
{
    if (dirac__is_gzip(file->data, file->size))
        return dirac__fail(DIRAC_ERR_FORMAT, "%s: is gzip-compressed; decompress it first",
                           file->name);
    if (file->size < 4)
        return dirac__fail(DIRAC_ERR_FORMAT, "%s: ends at byte %zu, inside the magic number",
                           file->name, file->size);
    uint32_t magic = big_endian(file->data), count = magic & 0xff;
    if (magic >> 8 != UNSIGNED_BYTE || count < least || count > most)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: byte 0: magic number 0x%08" PRIx32 ", must be 0x000008%02" PRIx32
                           "%s (%s of unsigned bytes)",
                           file->name, magic, least, most > least ? " or 0x00000804" : "",
                           most > least ? "images" : "labels");
    if (file->size < 4 + 4 * (size_t)count)
        return dirac__fail(DIRAC_ERR_FORMAT, "%s: ends at byte %zu, inside the header", file->name,
                           file->size);
    for (uint32_t i = 0; i < count; i++) {
        dims[i] = big_endian(file->data + 4 + 4 * i);
        if (dims[i] == 0)
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "%s: byte %" PRIu32 ": dimension %" PRIu32
                               " is 0, must be at least 1",
                               file->name, 4 + 4 * i, i);
    }
    *rank = count;
    *data = 4 + 4 * (size_t)count;
    return DIRAC_OK;
}

/* The file must end where the header says. */
static int32_t check_size(const dirac__idx_bytes *file, const uint32_t *dims, uint32_t rank,
                          size_t data)
{
    size_t elements = 1, expected = 0;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++)
        fits = fits && dirac__multiply(elements, dims[i], &elements);
    fits = fits && dirac__add(elements, data, &expected);
    if (!fits)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: byte 4: the header's dimensions are beyond the address space",
                           file->name);
    if (file->size != expected)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: ends at byte %zu, its header says that it ends at byte %zu",
                           file->name, file->size, expected);
    return DIRAC_OK;
}

static int32_t parse_file(const dirac__idx_bytes *file, uint32_t least, uint32_t most,
                          uint32_t *dims, uint32_t *rank, size_t *data)
{
    int32_t status = parse_header(file, least, most, dims, rank, data);
    return status == DIRAC_OK ? check_size(file, dims, *rank, *data) : status;
}

int32_t dirac__idx_parse(dirac_dataset **out, dirac_context *context,
                         const dirac__idx_bytes *images, const dirac__idx_bytes *labels,
                         uint64_t held)
{
    uint32_t dims[4] = {0}, rank = 3, count = 0, label_rank = 1;
    size_t pixels = 0, label_data = 0;
    int32_t status = parse_file(images, 3, 4, dims, &rank, &pixels);
    if (status == DIRAC_OK)
        status = parse_file(labels, 1, 1, &count, &label_rank, &label_data);
    if (status != DIRAC_OK)
        return status;
    if (count != dims[0])
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: byte 4: %" PRIu32 " labels, but %s holds %" PRIu32 " images",
                           labels->name, count, images->name, dims[0]);

    int64_t shape[3] = {rank == 4 ? dims[1] : 1, dims[rank - 2], dims[rank - 1]};
    dirac_dataset *dataset = NULL;
    status = dirac__dataset_create(&dataset, context, DIRAC__SAMPLES_BYTES, shape, 3);
    if (status != DIRAC_OK)
        return status;
    status = dirac__dataset_check_limit(dataset, count, held, images->name);
    if (status == DIRAC_OK)
        status = dirac__dataset_reserve(dataset, count);
    if (status != DIRAC_OK) {
        dirac__dataset_release(dataset);
        return status;
    }
    for (size_t i = 0; i < count; i++)
        dirac__dataset_append(dataset, images->data + pixels + i * dataset->sample_bytes,
                              labels->data[label_data + i]);
    *out = dataset;
    return DIRAC_OK;
}

int32_t dirac__idx_load(dirac_dataset **out, dirac_context *context, const char *images,
                        const char *labels)
{
    const dirac__memory *memory = &context->memory;
    unsigned char *image_data = NULL, *label_data = NULL;
    size_t image_size = 0, label_size = 0;
    const uint64_t limit = dirac__context_load_limit(context); /* of both files: read once */
    int32_t status =
        dirac__read_file(memory, images, limit, &image_data, &image_size, &context->progress);
    if (status == DIRAC_OK)
        status = dirac__read_file(memory, labels, limit - image_size, &label_data, &label_size, NULL);
    if (status == DIRAC_OK) {
        dirac__idx_bytes image_file = {images, image_data, image_size};
        dirac__idx_bytes label_file = {labels, label_data, label_size};
        status = dirac__idx_parse(out, context, &image_file, &label_file,
                                  (uint64_t)image_size + label_size);
    }
    dirac__free(memory, image_data);
    dirac__free(memory, label_data);
    return status;
}
