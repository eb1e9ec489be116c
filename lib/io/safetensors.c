/* SPDX-License-Identifier: MIT */
/*
 * Reading safetensors. The file is taken as hostile: nothing of it is used before it was checked, everything it makes
 * us ask for counts against one limit, and no work is more than n log n in its size.
 */
#include "io/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "io/checksum.h"
#include "io/read_file.h"
#include "base/sort.h"

struct dirac__safetensors {
    dirac__memory memory; /* counts against `left`, then asks `outer` */
    const dirac__memory *outer;
    uint64_t limit, left;
    bool exceeded;
    char *name;           /* the path, or "buffer" */
    unsigned char *owned; /* the file's contents if they are ours */
    const unsigned char *bytes;
    size_t size;
    const char *text; /* the JSON in `bytes` */
    size_t text_size;
    const unsigned char *data; /* what offsets count from */
    size_t data_size;
    dirac__json *header; /* holds all names and texts */
    dirac__file_tensor *tensors;
    size_t n_tensors;
    dirac__name_entry *by_name; /* of tensors */
    dirac__file_text *texts;
    size_t n_texts;
};

/* ---- the limit ---- */

static void *limited_allocate(void *user, size_t size, size_t alignment)
{
    dirac__safetensors *file = user;
    if (size > file->left) {
        file->exceeded = true;
        return NULL;
    }
    void *pointer = file->outer->allocate(file->outer->user, size, alignment);
    if (pointer != NULL) {
        file->left -= size;
    }
    return pointer;
}

static void limited_release(void *user, void *pointer, size_t size)
{
    dirac__safetensors *file = user;
    file->left += size;
    file->outer->release(file->outer->user, pointer, size);
}

/* ---- the header ---- */

static int32_t find_parts(dirac__safetensors *file)
{
    const size_t prefix = 8;
    if (file->size < prefix) {
        return dirac__fail(DIRAC_ERR_FORMAT, "\"%s\" has %zu bytes, too few for a safetensors file",
                           file->name, file->size);
    }
    uint64_t length = dirac__load_little_endian(file->bytes, prefix);
    if (length > DIRAC__MAX_HEADER || length > file->size - prefix) {
        size_t most = file->size - prefix < DIRAC__MAX_HEADER ? file->size - prefix
                                                              : DIRAC__MAX_HEADER;
        return dirac__fail(
            DIRAC_ERR_FORMAT,
            "\"%s\" is no safetensors file or is cut off: its first 8 bytes announce a header of %" PRIu64
            " bytes, possible here are 2 to %zu",
            file->name, length, most);
    }
    file->text = (const char *)file->bytes + prefix;
    file->text_size = (size_t)length;
    file->data = file->bytes + prefix + file->text_size;
    file->data_size = file->size - prefix - file->text_size;
    if (file->text_size < 2 || file->text[0] != '{') {
        return dirac__fail(DIRAC_ERR_FORMAT, "\"%s\": the header at byte 8 is not a JSON object",
                           file->name);
    }
    return DIRAC_OK;
}

/* Behind "name": the position after blanks and the text `wanted`, or NULL. */
static const char *skip(const char *at, const char *end, const char *wanted)
{
    size_t length = strlen(wanted);
    while (at != NULL && at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at != NULL && (size_t)(end - at) >= length && memcmp(at, wanted, length) == 0
               ? at + length
               : NULL;
}

/*
 * Where the digits of the checksum stand in the header's text; NULL if they are not written plainly. The text is valid
 * JSON, so these quotes cannot be inside a string, and only __metadata__ has a member of this name with a string value.
 */
static const char *find_digits(const dirac__safetensors *file, const char *digits)
{
    const char *end = file->text + file->text_size;
    for (const char *at = file->text; (at = memchr(at, '"', (size_t)(end - at))) != NULL; at++) {
        const char *value = skip(skip(at, end, "\"" DIRAC__KEY_CHECKSUM "\""), end, ":");
        value = skip(value, end, "\"" DIRAC__CHECKSUM_PREFIX);
        if (value != NULL && (size_t)(end - value) > DIRAC__CHECKSUM_DIGITS &&
            memcmp(value, digits, DIRAC__CHECKSUM_DIGITS) == 0 &&
            value[DIRAC__CHECKSUM_DIGITS] == '"') {
            return value;
        }
    }
    return NULL;
}

/* How many bytes of data the header tells of; what is malformed counts nothing. */
static uint64_t announced_data(const dirac__safetensors *file)
{
    int64_t most = 0;
    for (size_t i = 0; i < dirac__json_count(file->header); i++) {
        int64_t end = 0;
        const dirac__json *offsets = dirac__json_member(dirac__json_item(file->header, i), "data_offsets");
        if (dirac__json_integer(dirac__json_item(offsets, 1), &end) && end > most) {
            most = end;
        }
    }
    return (uint64_t)most;
}

/* The checksum does not match. A file that lost its end is the usual reason, and has another remedy than a damaged one. */
static int32_t fail_checksum(const dirac__safetensors *file, const char *computed, const char *stored)
{
    const uint64_t wanted = announced_data(file);
    if (wanted > file->data_size) {
        return dirac__fail(DIRAC_ERR_FORMAT, "\"%s\" is cut off: it has %zu bytes, its header tells of %" PRIu64,
                           file->name, file->size, (uint64_t)(file->size - file->data_size) + wanted);
    }
    return dirac__fail(DIRAC_ERR_FORMAT,
                       "\"%s\": the checksum %s of its contents does not match the stored %s: the file is damaged",
                       file->name, computed, stored);
}

static int32_t verify_checksum(const dirac__safetensors *file, const char *checksum)
{
    const size_t prefix = sizeof DIRAC__CHECKSUM_PREFIX - 1;
    const char *place = NULL;
    if (strncmp(checksum, DIRAC__CHECKSUM_PREFIX, prefix) == 0 &&
        strspn(checksum + prefix, "0123456789abcdef") == DIRAC__CHECKSUM_DIGITS &&
        checksum[prefix + DIRAC__CHECKSUM_DIGITS] == '\0') {
        place = find_digits(file, checksum + prefix);
    }
    if (place == NULL) {
        return dirac__fail(
            DIRAC_ERR_FORMAT,
            "\"%s\": the checksum \"%.*s\" is not \"xxh64:\" and 16 hexadecimal digits, written plainly",
            file->name, dirac__shown(checksum), checksum);
    }
    size_t before = (size_t)((const unsigned char *)place - file->bytes);
    size_t behind = before + DIRAC__CHECKSUM_DIGITS;
    char digits[DIRAC__CHECKSUM_DIGITS + 1];
    dirac__checksum sum;
    dirac__checksum_begin(&sum);
    dirac__checksum_add(&sum, file->bytes, before);
    dirac__checksum_add(&sum, DIRAC__CHECKSUM_ZEROS, DIRAC__CHECKSUM_DIGITS);
    dirac__checksum_add(&sum, file->bytes + behind, file->size - behind);
    dirac__checksum_digits(&sum, digits);
    if (memcmp(digits, place, DIRAC__CHECKSUM_DIGITS) != 0) {
        return fail_checksum(file, digits, checksum + prefix);
    }
    return DIRAC_OK;
}

/* A file that has one of our marks must have all, so that damage to any of them shows. */
static int32_t check_marks(const dirac__safetensors *file)
{
    const char *format = dirac__safetensors_text(file, DIRAC__KEY_FORMAT);
    const char *version = dirac__safetensors_text(file, DIRAC__KEY_VERSION);
    const char *checksum = dirac__safetensors_text(file, DIRAC__KEY_CHECKSUM);
    bool named = format != NULL && strcmp(format, DIRAC__FORMAT) == 0;
    if (named || version != NULL) {
        if (!named || version == NULL || checksum == NULL) {
            const char *missing = !named            ? "\"format\":\"dirac\""
                                  : version == NULL ? DIRAC__KEY_VERSION
                                                    : DIRAC__KEY_CHECKSUM;
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "\"%s\": a file of this library lacks %s in its __metadata__",
                               file->name, missing);
        }
        if (strcmp(version, DIRAC__VERSION) != 0) {
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "\"%s\" is of format version \"%.*s\"; this library reads \"%s\"",
                               file->name, dirac__shown(version), version, DIRAC__VERSION);
        }
    }
    return checksum != NULL ? verify_checksum(file, checksum) : DIRAC_OK;
}

static int32_t read_texts(dirac__safetensors *file)
{
    const dirac__json *metadata = dirac__json_member(file->header, DIRAC__METADATA);
    if (metadata == NULL) {
        return DIRAC_OK;
    }
    if (dirac__json_type(metadata) != DIRAC__JSON_OBJECT) {
        return dirac__fail(DIRAC_ERR_FORMAT, "\"%s\": __metadata__ is not an object", file->name);
    }
    size_t count = dirac__json_count(metadata);
    file->texts = dirac__alloc_zero(&file->memory, count, sizeof *file->texts);
    if (file->texts == NULL) {
        return dirac__fail_memory("texts of a file");
    }
    for (size_t i = 0; i < count; i++) {
        const dirac__json *item = dirac__json_item(metadata, i);
        file->texts[i].key = dirac__json_name(item);
        file->texts[i].value = dirac__json_string(item);
        if (file->texts[i].value == NULL) {
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "\"%s\": __metadata__ has a value that is not a string, \"%.*s\"",
                               file->name, dirac__shown(file->texts[i].key), file->texts[i].key);
        }
    }
    file->n_texts = count;
    return check_marks(file);
}

/* ---- tensors ---- */

static int32_t fail_tensor(const dirac__safetensors *file, const char *name, const char *reason)
{
    return dirac__fail(DIRAC_ERR_FORMAT, "\"%s\": tensor \"%.*s\" %s", file->name,
                       dirac__shown(name), name, reason);
}

static int32_t read_dtype(const dirac__safetensors *file, const dirac__json *entry,
                          dirac__file_tensor *tensor)
{
    const char *dtype = dirac__json_string(dirac__json_member(entry, "dtype"));
    if (dtype == NULL) {
        return fail_tensor(file, tensor->name, "has no \"dtype\" that is a string");
    }
    tensor->dtype = dirac__dtype_find(dtype);
    if (tensor->dtype >= 0) {
        return DIRAC_OK;
    }
    return dirac__fail(
        DIRAC_ERR_FORMAT,
        "\"%s\": tensor \"%.*s\" has dtype \"%.*s\"; known are F32, F64, F16, BF16, U8 and I64",
        file->name, dirac__shown(tensor->name), tensor->name, dirac__shown(dtype), dtype);
}

static int32_t read_shape(const dirac__safetensors *file, const dirac__json *entry,
                          dirac__file_tensor *tensor)
{
    const dirac__json *shape = dirac__json_member(entry, "shape");
    size_t rank = dirac__json_count(shape);
    if (dirac__json_type(shape) != DIRAC__JSON_ARRAY || rank > DIRAC__MAX_FILE_RANK) {
        return fail_tensor(file, tensor->name,
                           "has no \"shape\" that is an array of at most 8 sizes");
    }
    tensor->rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        if (!dirac__json_integer(dirac__json_item(shape, i), &tensor->dims[i]) ||
            tensor->dims[i] < 0) {
            return fail_tensor(file, tensor->name,
                               "has a size in its \"shape\" that is no integer from 0 to 2^63 - 1");
        }
    }
    return DIRAC_OK;
}

static int32_t read_offsets(const dirac__safetensors *file, const dirac__json *entry,
                            dirac__file_tensor *tensor)
{
    const dirac__json *offsets = dirac__json_member(entry, "data_offsets");
    int64_t begin, end;
    size_t bytes;
    if (dirac__json_type(offsets) != DIRAC__JSON_ARRAY || dirac__json_count(offsets) != 2 ||
        !dirac__json_integer(dirac__json_item(offsets, 0), &begin) ||
        !dirac__json_integer(dirac__json_item(offsets, 1), &end)) {
        return fail_tensor(file, tensor->name, "has no \"data_offsets\" that are two integers");
    }
    if (begin < 0 || end < begin || (uint64_t)end > file->data_size) {
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "\"%s\": tensor \"%.*s\" has data_offsets %" PRId64 " to %" PRId64
                           "; the data of the file are bytes 0 to %zu",
                           file->name, dirac__shown(tensor->name), tensor->name, begin, end,
                           file->data_size);
    }
    tensor->data = file->data + begin;
    tensor->bytes = (size_t)(end - begin);
    if (!dirac__file_tensor_bytes(tensor, &bytes)) {
        return fail_tensor(file, tensor->name,
                           "has a \"shape\" of more bytes than can be addressed");
    }
    if (bytes != tensor->bytes) {
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "\"%s\": tensor \"%.*s\" has %zu bytes, data_offsets %" PRId64
                           " to %" PRId64 "; its dtype and shape need %zu",
                           file->name, dirac__shown(tensor->name), tensor->name, tensor->bytes,
                           begin, end, bytes);
    }
    return DIRAC_OK;
}

static int32_t read_tensor(const dirac__safetensors *file, const dirac__json *entry,
                           dirac__file_tensor *tensor)
{
    tensor->name = dirac__json_name(entry);
    if (dirac__json_type(entry) != DIRAC__JSON_OBJECT || dirac__json_count(entry) != 3) {
        return fail_tensor(file, tensor->name, "is not an object of dtype, shape and data_offsets");
    }
    int32_t status = read_dtype(file, entry, tensor);
    if (status == DIRAC_OK) {
        status = read_shape(file, entry, tensor);
    }
    return status == DIRAC_OK ? read_offsets(file, entry, tensor) : status;
}

/* By place; empty tensors before the one that begins where they stand. */
static int compare_places(const void *a, const void *b)
{
    const dirac__file_tensor *x = a, *y = b;
    const unsigned char *x_data = x->data, *y_data = y->data;
    if (x_data != y_data) {
        return x_data < y_data ? -1 : 1;
    }
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1) : strcmp(x->name, y->name);
}

/* The data must be the tensors', each byte once. */
static int32_t check_cover(const dirac__safetensors *file)
{
    size_t covered = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        const dirac__file_tensor *tensor = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - file->data);
        if (begin != covered) {
            return dirac__fail(
                DIRAC_ERR_FORMAT, "\"%s\": tensor \"%.*s\" at data offset %zu %s offset %zu",
                file->name, dirac__shown(tensor->name), tensor->name, begin,
                begin < covered ? "overlaps what goes on to" : "leaves a gap behind what ends at",
                covered);
        }
        covered += tensor->bytes;
    }
    if (covered != file->data_size) {
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "\"%s\": %zu bytes from data offset %zu on belong to no tensor",
                           file->name, file->data_size - covered, covered);
    }
    return DIRAC_OK;
}

static int32_t read_tensors(dirac__safetensors *file)
{
    size_t members = dirac__json_count(file->header);
    file->tensors = dirac__alloc_zero(&file->memory, members, sizeof *file->tensors);
    file->by_name = dirac__alloc_zero(&file->memory, members, sizeof *file->by_name);
    if (file->tensors == NULL || file->by_name == NULL) {
        return dirac__fail_memory("tensors of a file");
    }
    for (size_t i = 0; i < members; i++) {
        const dirac__json *entry = dirac__json_item(file->header, i);
        if (strcmp(dirac__json_name(entry), DIRAC__METADATA) == 0) {
            continue;
        }
        int32_t status = read_tensor(file, entry, &file->tensors[file->n_tensors]);
        if (status != DIRAC_OK) {
            return status;
        }
        file->n_tensors++;
    }
    dirac__sort(file->tensors, file->n_tensors, sizeof *file->tensors, compare_places);
    for (size_t i = 0; i < file->n_tensors; i++) {
        file->by_name[i].name = file->tensors[i].name;
        file->by_name[i].item = i;
    }
    dirac__sort_names(file->by_name, file->n_tensors);
    return check_cover(file);
}

/* ---- life ---- */

static int32_t parse(dirac__safetensors *file)
{
    int32_t status = find_parts(file);
    if (status != DIRAC_OK) {
        return status;
    }
    status = dirac__json_parse(&file->memory, file->text, file->text_size, &file->header);
    if (status == DIRAC_ERR_FORMAT || status == DIRAC_ERR_LIMIT) {
        return dirac__fail(status, "\"%s\": header (from byte 8 on): %s", file->name,
                           dirac__fail_text());
    }
    if (status == DIRAC_OK) {
        status = read_texts(file);
    }
    return status == DIRAC_OK ? read_tensors(file) : status;
}

/* A refusal of the limit's is no lack of memory. */
static int32_t judge(const dirac__safetensors *file, const char *name, int32_t status)
{
    if (status != DIRAC_ERR_MEMORY || !file->exceeded) {
        return status;
    }
    return dirac__fail(DIRAC_ERR_LIMIT, "\"%s\" needs more than the limit of %" PRIu64 " bytes to be read", name,
                       file->limit);
}

int32_t dirac__safetensors_judge(const dirac__safetensors *file, int32_t status)
{
    return judge(file, file->name, status);
}

const dirac__memory *dirac__safetensors_memory(const dirac__safetensors *file)
{
    return &file->memory;
}

/* `path` NULL: from memory. */
static int32_t open_any(dirac__safetensors **out, const dirac__memory *memory, const char *path,
                        const void *data, size_t size, uint64_t limit,
                        const dirac__progress *progress)
{
    const size_t own = sizeof(dirac__safetensors) +
                       DIRAC__ALIGNMENT; /* with what dirac__alloc() adds */
    *out = NULL;
    dirac__safetensors *file = dirac__alloc_zero(memory, 1, sizeof *file);
    if (file == NULL) {
        return dirac__fail_memory("file to read");
    }
    file->memory = (dirac__memory){limited_allocate, limited_release, file};
    file->outer = memory;
    file->limit = limit;
    file->left = limit > own ? limit - own : 0;
    file->bytes = data;
    file->size = size;
    file->name = dirac__copy_string(&file->memory, path != NULL ? path : "buffer");
    int32_t status = file->name != NULL ? DIRAC_OK : dirac__fail_memory("path of a file");
    if (status == DIRAC_OK && path != NULL) {
        status = dirac__read_file(&file->memory, path, file->left, &file->owned, &file->size,
                                  progress);
        file->bytes = file->owned;
    }
    if (status == DIRAC_OK) {
        status = parse(file);
    }
    if (status != DIRAC_OK) {
        status = judge(file, path != NULL ? path : "buffer", status);
        dirac__safetensors_close(file);
        return status;
    }
    *out = file;
    return DIRAC_OK;
}

int32_t dirac__safetensors_open(dirac__safetensors **out, const dirac__memory *memory,
                                const char *path, uint64_t limit, const dirac__progress *progress)
{
    return open_any(out, memory, path, NULL, 0, limit, progress);
}

int32_t dirac__safetensors_open_memory(dirac__safetensors **out, const dirac__memory *memory,
                                       const void *data, size_t size, uint64_t limit)
{
    return open_any(out, memory, NULL, data, size, limit, NULL);
}

void dirac__safetensors_close(dirac__safetensors *file)
{
    if (file == NULL) {
        return;
    }
    dirac__free(&file->memory, file->texts);
    dirac__free(&file->memory, file->by_name);
    dirac__free(&file->memory, file->tensors);
    dirac__json_free(&file->memory, file->header);
    dirac__free(&file->memory, file->owned);
    dirac__free(&file->memory, file->name);
    dirac__free(file->outer, file);
}

const dirac__file_tensor *dirac__safetensors_tensors(const dirac__safetensors *file, size_t *count)
{
    *count = file->n_tensors;
    return file->tensors;
}

const dirac__file_text *dirac__safetensors_texts(const dirac__safetensors *file, size_t *count)
{
    *count = file->n_texts;
    return file->texts;
}

const dirac__file_tensor *dirac__safetensors_find(const dirac__safetensors *file, const char *name)
{
    const dirac__name_entry *found = dirac__find_name(file->by_name, file->n_tensors, name);
    return found != NULL ? &file->tensors[found->item] : NULL;
}

const char *dirac__safetensors_text(const dirac__safetensors *file, const char *key)
{
    return dirac__json_string(
        dirac__json_member(dirac__json_member(file->header, DIRAC__METADATA), key));
}

const char *dirac__safetensors_name(const dirac__safetensors *file)
{
    return file->name;
}
