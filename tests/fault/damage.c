/* SPDX-License-Identifier: MIT */
#include "fault/damage.h"
#include "fault/seal.h"

static const unsigned char values[] = {0, 1, 0x20, '"', ',', '0', '9', ':', '[', ']', '{', '}', '\\', 0x7F, 0x80, 0xFF};

victim victims;

void open_victims(size_t limit, dirac_net *(*make)(void))
{
    victim *v = &victims;
    memset(v, 0, sizeof *v);
    v->limit = limit;
    ok(dirac_context_create_with_allocator(&v->context, counting_allocate, counting_release, &v->memory));
    ok(dirac_context_set_load_limit(v->context, limit));
    v->net = make();
    v->session = open_session(v->net, DIRAC_TRAIN, 2);
    ok(dirac_sgd_create(&v->sgd, v->net));
    ok(dirac_checkpoint_create(&v->checkpoint, v->context));
    ok(dirac_checkpoint_add_net(v->checkpoint, "n", v->net));
    ok(dirac_checkpoint_add_sgd(v->checkpoint, "o", v->sgd));
    ok(dirac_checkpoint_add_session(v->checkpoint, "s", v->session));
    ok(dirac_checkpoint_set_blob(v->checkpoint, "b", "blob", 4));
}

void close_victims(void)
{
    victim *v = &victims;
    dirac_checkpoint_destroy(v->checkpoint);
    dirac_sgd_destroy(v->sgd);
    dirac_session_destroy(v->session);
    dirac_net_destroy(v->net);
    dirac_context_destroy(v->context);
    assert_int_equal(v->memory.alive, 0);
    assert_int_equal(v->memory.wrong, 0);
}

int32_t load_net(const void *data, size_t size)
{
    dirac_net *loaded = victims.net;
    const int32_t status = dirac_net_load_memory(&loaded, victims.context, data, size);
    assert_true((status == DIRAC_OK) == (loaded != NULL));
    dirac_net_destroy(loaded);
    return status;
}

int32_t load_weights(const void *data, size_t size)
{
    return dirac_net_load_weights_memory(victims.net, data, size, DIRAC_LOAD_PARTIAL);
}

int32_t load_checkpoint(const void *data, size_t size)
{
    return dirac_checkpoint_load_memory(victims.checkpoint, data, size);
}

static void check_refusal(int32_t status, size_t alive, uint64_t version)
{
    if (victims.memory.alive > alive + 1 || dirac_error_message()[0] == '\0') /* a report may stay */
        fail_msg("%zu blocks before, %zu after a refusal: %s: %s", alive, (size_t)victims.memory.alive,
                 dirac_status_name(status), dirac_error_message());
    if (dirac_net_version(victims.net) != version)
        fail_msg("a refused load changed the net: %s", dirac_error_message());
}

/* The bytes in memory of their own, so that a sanitizer sees a read beyond. */
int32_t try_load(load_fn load, const unsigned char *bytes, size_t size, int checksum, size_t at, const char *what)
{
    victim *v = &victims;
    unsigned char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    if (checksum == SEALED)
        seal(copy, size);
    const size_t alive = v->memory.alive, before = v->memory.bytes;
    const uint64_t version = dirac_net_version(v->net);
    v->memory.peak = before;
    const int32_t status = load(copy, size);
    free(copy);
    v->tried++;
    v->loads += status == DIRAC_OK;
    v->refusals += status != DIRAC_OK;
    if (v->memory.peak - before > v->limit)
        fail_msg("%zu bytes were asked for, the limit is %zu", (size_t)v->memory.peak - before, v->limit);
    if (status != DIRAC_OK)
        check_refusal(status, alive, version);
    if (checksum == KEPT && what != NULL && status != DIRAC_ERR_FORMAT && status != DIRAC_ERR_LIMIT)
        fail_msg("%s at %zu: %s: %s", what, at, dirac_status_name(status), dirac_error_message());
    return status;
}

void try_change(load_fn load, unsigned char *bytes, size_t size, int checksum, size_t at, int way)
{
    const unsigned char was = bytes[at];
    bytes[at] = way < 8 ? (unsigned char)(was ^ 1u << way) : values[way - 8];
    if (bytes[at] != was)
        try_load(load, bytes, size, checksum, at, way < 8 ? "a flipped bit" : "another byte");
    bytes[at] = was;
}

void tell_damage(const char *name, size_t size, int checksum)
{
    print_message("%s, %zu bytes, %s checksum: %zu files tried, %zu refused, %zu loaded\n", name, size,
                  checksum == KEPT ? "the old" : checksum == SEALED ? "a right" : "no", victims.tried,
                  victims.refusals, victims.loads);
    victims.tried = victims.refusals = victims.loads = 0;
}
