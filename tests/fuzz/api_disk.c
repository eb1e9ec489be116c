/* SPDX-License-Identifier: MIT */
/* Calls on paths of files that are there, as the library wrote them or damaged. */
#include "api.h"
#include "disk.h"

static const char *pick_path(machine *m)
{
    static const char *const names[4] = {"a", "b", "a", ""}; /* the last one is the folder */
    return fuzz_path(names[api_byte(m) % 4]);
}

static void save_net(machine *m)
{
    const dirac_net *net = api_pick_net(m)->net;
    const char *path = pick_path(m);
    if (api_byte(m) % 2)
        fuzz_status(dirac_net_save(net, path));
    else
        fuzz_status(dirac_net_save_as(net, path, api_option(m)));
}

static void load_net(machine *m)
{
    api_net *to = api_pick_net(m);
    api_drop_net(to);
    const int32_t status = dirac_net_load(&to->net, api_pick_context(m), pick_path(m));
    fuzz_status(status);
    FUZZ_CHECK((to->net != NULL) == (status == DIRAC_OK));
    for (int64_t i = 0; i < dirac_net_node_count(to->net) && i < NODES; i++)
        to->nodes[to->n_nodes++] = dirac_net_node(to->net, i);
}

static void load_weights(machine *m)
{
    dirac_net *net = api_pick_net(m)->net;
    const int32_t mode = api_option(m);
    const uint64_t version = dirac_net_version(net);
    const int32_t status = dirac_net_load_weights(net, pick_path(m), mode);
    fuzz_status(status);
    FUZZ_CHECK(status == DIRAC_OK || dirac_net_version(net) == version);
    FUZZ_CHECK(status != DIRAC_OK || mode != DIRAC_LOAD_STRICT || dirac_net_load_report(net)[0] == '\0');
}

static void pass_checkpoint(machine *m)
{
    dirac_checkpoint *c = m->checkpoints[api_byte(m) % 2];
    const char *path = pick_path(m);
    fuzz_status(api_byte(m) % 2 ? dirac_checkpoint_save(c, path) : dirac_checkpoint_load(c, path));
}

/* Changes a byte of a file, or cuts it. */
static void damage(machine *m)
{
    const char *path = fuzz_path(api_byte(m) % 2 ? "a" : "b");
    const long at = api_byte(m) * 16 + api_byte(m) % 16;
    FILE *file = fopen(path, "rb+");
    if (file == NULL)
        return;
    if (api_byte(m) % 4 == 0)
        FUZZ_CHECK(ftruncate(fileno(file), at) == 0);
    else if (fseek(file, at, SEEK_SET) == 0)
        fputc(api_byte(m), file);
    fclose(file);
}

/* The files of data sets: a few records, labels right and wrong. */
static void load_set(machine *m)
{
    static uint8_t records[3 * 3074];
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
    const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, api_byte(m) % 16, 1};
    const int32_t slot = api_byte(m) % 2, split = api_option(m);
    const uint8_t which = api_byte(m);
    dirac_context *context = api_pick_context(m);
    dirac_dataset_destroy(m->datasets[slot]);
    records[0] = which / 4 % 16;
    records[3073] = which / 64;
    const size_t size = which % 4 == 3 ? 1 : (size_t)(which % 2 ? 3073 : 3074) * (which % 3 + 1);
    fuzz_put("test_batch.bin", records, size);
    fuzz_put(split == DIRAC_SPLIT_TEST ? "test.bin" : "train.bin", records, size);
    switch (api_byte(m) % 3) {
    case 0: fuzz_status(dirac_dataset_load_cifar10(&m->datasets[slot], context, fuzz_path(""), split)); break;
    case 1: fuzz_status(dirac_dataset_load_cifar100(&m->datasets[slot], context, fuzz_path(""), split)); break;
    default:
        fuzz_put("a", images, sizeof images - which % 2);
        fuzz_put("b", labels, sizeof labels);
        fuzz_status(dirac_dataset_load_idx(&m->datasets[slot], context, fuzz_path("a"), fuzz_path("b")));
        break;
    }
}

/* The same from memory. */
static void parse_set(machine *m)
{
    static const uint8_t images[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
    static uint8_t records[2 * 3074];
    const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 1, api_byte(m)};
    const int32_t slot = api_byte(m) % 2, classes = api_byte(m) % 8 == 0 ? api_option(m) : 10;
    dirac_context *context = api_pick_context(m);
    dirac_dataset_destroy(m->datasets[slot]);
    records[3073] = labels[8];
    if (api_byte(m) % 2)
        fuzz_status(dirac_dataset_load_cifar_memory(&m->datasets[slot], context, records, 2 * 3073, classes));
    else
        fuzz_status(dirac_dataset_load_idx_memory(&m->datasets[slot], context, images, sizeof images, labels,
                                                  sizeof labels - (classes == 2)));
}

void api_clear_disk(void)
{
    if (fuzz_folder[0] == '\0')
        return;
    fuzz_empty_folder();
    FUZZ_CHECK(rmdir(fuzz_folder) == 0 && mkdir(fuzz_folder, 0700) == 0); /* no temporary of a save is left */
}

const operation api_disk_operations[] = {save_net, save_net, load_net, load_weights, pass_checkpoint,
                                         damage,   load_set, parse_set, NULL};
