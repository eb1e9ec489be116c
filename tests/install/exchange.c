/* SPDX-License-Identifier: MIT */
/* Files that change hands between machines of different byte order.
 *   exchange write FOLDER      writes a net, the same with published names, and a checkpoint in the middle of training
 *   exchange copy FROM TO      reads each and writes it again
 * Values are set, not computed: what two machines compute may differ in the last bit, what they write must not. */
#include <dirac/dirac.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int32_t status, int line)
{
    if (status == DIRAC_OK)
        return;
    fprintf(stderr, "line %d: %s\n", line, dirac_error_message());
    exit(1);
}
#define TRY(call) check(call, __LINE__)

static char path_text[4096];
static const char *path(const char *folder, const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

/* Values that need all four bytes of a float to be in the right order; none is written twice. */
static void fill(float *values, size_t count, uint32_t start)
{
    for (size_t i = 0; i < count; i++)
        values[i] = 0.5f + (float)(((uint32_t)i * 2654435761u + start) % 4194301u) / 8388608.0f;
}

static float *room(size_t count)
{
    float *values = (float *)malloc(count * sizeof(float));
    if (values == NULL)
        exit(1);
    return values;
}

/* The paper's network, small; its values from fill() unless `blank`. */
static dirac_net *make_net(dirac_context *context, int blank)
{
    dirac_net *net;
    TRY(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 32, 32), 16, 0.25, 10,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    TRY(dirac_net_build(net));
    for (int64_t i = 0; !blank && i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        int64_t dims[DIRAC_MAX_RANK];
        int32_t rank;
        size_t count = 1;
        TRY(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
        for (int32_t d = 0; d < rank; d++)
            count *= (size_t)dims[d];
        float *values = room(count);
        fill(values, count, (uint32_t)i);
        TRY(dirac_net_tensor_write(net, name, values, count));
        free(values);
    }
    return net;
}

/* Everything that a run of training holds. */
struct run {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    dirac_dataset *dataset;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
};

static void start(struct run *run, dirac_context *context, int blank)
{
    static uint8_t pixels[40 * 3 * 32 * 32];
    static int32_t labels[40];
    run->net = make_net(context, blank);
    TRY(dirac_session_create(&run->session, run->net, DIRAC_TRAIN));
    TRY(dirac_session_set_batch(run->session, 4));
    TRY(dirac_session_prepare(run->session));
    TRY(dirac_sgd_create(&run->sgd, run->net));
    TRY(dirac_dataset_create_images(&run->dataset, context, 3, 32, 32));
    TRY(dirac_dataset_add_images(run->dataset, pixels, DIRAC_LAYOUT_PLANAR, labels, 40));
    TRY(dirac_batches_create(&run->batches, run->dataset));
    TRY(dirac_batches_set_size(run->batches, 4));
    TRY(dirac_batches_set_shuffle(run->batches, 1));
    TRY(dirac_batches_set_seed(run->batches, blank ? 1 : 0x0123456789abcdefu));
    TRY(dirac_checkpoint_create(&run->checkpoint, context));
    TRY(dirac_checkpoint_add_net(run->checkpoint, "net", run->net));
    TRY(dirac_checkpoint_add_sgd(run->checkpoint, "sgd", run->sgd));
    TRY(dirac_checkpoint_add_session(run->checkpoint, "session", run->session));
    TRY(dirac_checkpoint_add_batches(run->checkpoint, "batches", run->batches));
}

static void stop(struct run *run)
{
    dirac_checkpoint_destroy(run->checkpoint);
    dirac_batches_destroy(run->batches);
    dirac_dataset_destroy(run->dataset);
    dirac_sgd_destroy(run->sgd);
    dirac_session_destroy(run->session);
    dirac_net_destroy(run->net);
}

static void write_files(dirac_context *context, const char *folder)
{
    const char *momentum = "fc.weight";
    float values[10 * 16];
    struct run run;
    start(&run, context, 0);
    TRY(dirac_net_save(run.net, path(folder, "net.safetensors")));
    TRY(dirac_net_save_as(run.net, path(folder, "published.safetensors"), DIRAC_NAMES_PUBLISHED));
    fill(values, sizeof values / sizeof *values, 77);
    TRY(dirac_sgd_momentum_write(run.sgd, momentum, values, sizeof values / sizeof *values));
    TRY(dirac_sgd_set_learning_rate(run.sgd, 0.046875f));
    TRY(dirac_batches_seek(run.batches, 3, 5));
    TRY(dirac_checkpoint_set_blob(run.checkpoint, "note", "any\0bytes", 10));
    TRY(dirac_checkpoint_save(run.checkpoint, path(folder, "checkpoint.safetensors")));
    stop(&run);
}

static void copy_files(dirac_context *context, const char *from, const char *to)
{
    dirac_net *net;
    struct run run;
    TRY(dirac_net_load(&net, context, path(from, "net.safetensors")));
    TRY(dirac_net_save(net, path(to, "net.safetensors")));
    dirac_net_destroy(net);
    net = make_net(context, 1);
    TRY(dirac_net_load_weights(net, path(from, "published.safetensors"), DIRAC_LOAD_STRICT));
    TRY(dirac_net_save_as(net, path(to, "published.safetensors"), DIRAC_NAMES_PUBLISHED));
    dirac_net_destroy(net);
    start(&run, context, 1);
    TRY(dirac_checkpoint_load(run.checkpoint, path(from, "checkpoint.safetensors")));
    TRY(dirac_checkpoint_save(run.checkpoint, path(to, "checkpoint.safetensors")));
    stop(&run);
}

int main(int argc, char **argv)
{
    dirac_context *context;
    TRY(dirac_context_create(&context));
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        write_files(context, argv[2]);
    else if (argc == 4 && strcmp(argv[1], "copy") == 0)
        copy_files(context, argv[2], argv[3]);
    else
        return fprintf(stderr, "exchange write FOLDER | exchange copy FROM TO\n"), 2;
    dirac_context_destroy(context);
    return 0;
}
