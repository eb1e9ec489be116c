/* SPDX-License-Identifier: MIT */
/* Writes the inputs that fuzzing starts from, made with the library itself: seeds FOLDER makes FOLDER/<target>/<name>. */
#include <sys/stat.h>

#include "training.h"

static const char *folder;
static dirac_context *context;

static void put(const char *target, const char *name, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

/* The value of "dirac.graph" in a file of ours, a JSON string, without its escapes. */
static void put_graph(const char *name, const char *file, size_t size)
{
    static const char key[] = "\"dirac.graph\":\"";
    const char *at = file;
    char *text = malloc(size);
    size_t length = 0;
    FUZZ_CHECK(text != NULL);
    while (memcmp(at, key, sizeof key - 1) != 0)
        FUZZ_CHECK(++at + sizeof key < file + size);
    for (at += sizeof key - 1; *at != '"'; at++) {
        at += *at == '\\';
        text[length++] = *at;
    }
    put("graph", name, text, length);
    put("json", name, text, length);
    free(text);
}

static void put_net(const char *name, dirac_net *net)
{
    void *data;
    size_t size;
    FUZZ_CHECK(dirac_net_build(net) == DIRAC_OK);
    FUZZ_CHECK(dirac_net_save_memory(net, &data, &size) == DIRAC_OK);
    put("safetensors", name, data, size);
    put_graph(name, data, size);
    dirac_buffer_free(context, data, size);
}

static void put_published(dirac_net *net, int32_t names, const char *name)
{
    char path[4096], bytes[65536];
    snprintf(path, sizeof path, "%s/published.tmp", folder);
    FUZZ_CHECK(dirac_net_save_as(net, path, names) == DIRAC_OK);
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    remove(path);
    put("safetensors", name, bytes, size);
}

static dirac_net *new_net(void)
{
    dirac_net *net;
    FUZZ_CHECK(dirac_net_create(&net, context) == DIRAC_OK);
    return net;
}

static void put_diracnet(void)
{
    dirac_net *net = new_net(), *folded;
    dirac_node *x = dirac_net_input2d(net, 1, 4, 4);
    dirac_net_output(net, dirac_model_diracnet_cifar(net, x, 10, 0.125, 2, DIRAC_FORM_NORMALIZED_DELTA));
    put_net("diracnet", net);
    put_published(net, DIRAC_NAMES_PUBLISHED, "diracnet-published");
    FUZZ_CHECK(dirac_net_fold(&folded, net) == DIRAC_OK);
    put_published(folded, DIRAC_NAMES_FOLDED, "diracnet-folded");
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
}

/* Every kind of layer in one net. */
static void put_layers(void)
{
    dirac_net *net = new_net();
    dirac_node *x = dirac_net_input2d(net, 2, 6, 6);
    dirac_node *a = dirac_net_conv2d(net, x, 4, 3), *b = dirac_net_dirac_conv2d(net, a, 4, 3);
    dirac_node_set_int(b, "groups", 2);
    dirac_node *c = dirac_net_conv2d(net, b, 4, 3);
    dirac_node_set_int(c, "form", DIRAC_FORM_DELTA);
    dirac_node_set_int(c, "bias", 1);
    dirac_node *y = dirac_net_add(net, dirac_net_batch_norm(net, b), dirac_net_elu(net, c));
    y = dirac_net_concat(net, (dirac_node *[]){y, dirac_net_ncrelu(net, a)}, 2);
    y = dirac_net_local_response_norm(net, dirac_net_max_pool2d(net, y, 2), 3);
    y = dirac_net_average_pool2d(net, dirac_net_dropout(net, y, 0.5f), 2);
    dirac_net_output(net, dirac_net_global_average_pool(net, y));
    dirac_net_output(net, dirac_net_softmax(net, dirac_net_linear(net, dirac_net_flatten(net, y), 3)));
    put_net("layers", net);
    dirac_net_destroy(net);
}

static void put_shared(void)
{
    dirac_net *net = new_net();
    dirac_node *x = dirac_net_input1d(net, 2, 5), *v = dirac_net_input(net, 3);
    dirac_node *a = dirac_net_conv1d(net, x, 2, 3), *b = dirac_net_conv1d(net, a, 2, 3);
    dirac_node_share_parameters(b, a);
    dirac_node *n = dirac_net_batch_norm(net, b);
    dirac_node_set_frozen(n, 1);
    dirac_net_output(net, dirac_net_relu(net, n));
    dirac_net_output(net, dirac_net_dirac_linear(net, v, 3));
    FUZZ_CHECK(dirac_net_build(net) == DIRAC_OK);
    FUZZ_CHECK(dirac_net_set_trainable(net, "*.weight", 0) == DIRAC_OK);
    FUZZ_CHECK(dirac_net_set_note(net, "classes", "a\nb") == DIRAC_OK);
    void *data;
    size_t size;
    FUZZ_CHECK(dirac_net_save_memory(net, &data, &size) == DIRAC_OK);
    put("safetensors", "shared", data, size);
    put_graph("shared", data, size);
    dirac_buffer_free(context, data, size);
    dirac_net_destroy(net);
}

static void put_volume(void)
{
    dirac_net *net = new_net();
    dirac_node *x = dirac_net_input3d(net, 1, 3, 4, 3);
    dirac_node *y = dirac_net_max_pool3d(net, dirac_net_conv3d(net, x, 2, 2), 2);
    dirac_node_set_ints(y, "stride", (const int64_t[]){1, 2, 1}, 3);
    dirac_net_output(net, y);
    put_net("volume", net);
    dirac_net_destroy(net);
}

/* Files of other programs: all dtypes, no marks. */
static void put_foreign(void)
{
    static const char header[] =
        "{\"conv\":{\"dtype\":\"F16\",\"shape\":[2,1,3,3],\"data_offsets\":[0,36]},"
        "\"params.bn.weight\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[36,52]},"
        "\"group0.block0.alpha\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[52,54]},"
        "\"eye2_2_3_3\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[54,55]},"
        "\"num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[55,55]}}";
    unsigned char file[8 + sizeof header - 1 + 55] = {(sizeof header - 1) & 255, (sizeof header - 1) >> 8};
    memcpy(file + 8, header, sizeof header - 1);
    for (size_t i = 0; i < 55; i++)
        file[8 + sizeof header - 1 + i] = (unsigned char)(i * 41);
    put("safetensors", "foreign", file, sizeof file);
}

static void put_names(void)
{
    static const char published[] = "conv\nparams.bn.weight\nstats.bn.running_mean\ngroup0.block0.conv\n"
        "group0.block0.alpha\ngroup0.block0.beta\neye64_64_3_3\ngroup1.block10.bn.running_var\nfc.weight\n\n"
        "conv.weight\nbn.weight\nbn.running_mean\ngroup0.block0.conv.weight\ngroup0.block0.conv.alpha\n"
        "group0.block0.conv.beta\ngroup1.block10.bn.running_var\nfc.weight\n";
    static const char folded[] = "features.conv.weight\nfeatures.conv.bias\nfeatures.group0.block0.conv.weight\n"
        "fc.weight\n\nconv.weight\nconv.bias\ngroup0.block0.conv.weight\nfc.weight\nfc.bias\n";
    static const char stages[] = "features.init_block.conv.weight\nfeatures.stage1.unit1.conv.weight\noutput.weight\n"
        "features.stage999999999.unit2.conv.bias\n\nconv.weight\ngroup0.block0.conv.weight\nfc.weight\n";
    put("names", "training", published, sizeof published - 1);
    put("names", "folded", folded, sizeof folded - 1);
    put("names", "stages", stages, sizeof stages - 1);
}

static void put_json(void)
{
    static const char text[] = "[null,true,false,0,-0,-12,9223372036854775807,1.5e-300,1E+2,4.9e-324,"
        "\"\\u00e9\\ud83d\\ude00\\\\\\\"\\/\\b\\f\\n\\r\\t\",{\"a\":[],\"b\":{}}, [[[]]]\n]";
    put("json", "values", text, sizeof text - 1);
}

static void put_data(void)
{
    unsigned char idx[2 + 16 + 2 * 3 * 4 + 8 + 2] = {0, 40, 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    const unsigned char labels[10] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9}, four[] = {0, 26, 0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3,
        0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 0, 0, 8, 1, 0, 0, 0, 1, 3};
    memcpy(idx + 42, labels, sizeof labels);
    put("idx", "three", idx, sizeof idx);
    put("idx", "four", four, sizeof four);
    put("cifar", "ten", (const unsigned char[]){0, 16, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, 19);
    put("cifar", "hundred", (const unsigned char[]){1, 255, 1, 1, 2, 3, 4, 5}, 8);
}

static void put_checkpoint(void)
{
    training t;
    void *data;
    size_t size;
    make_training(&t, context);
    FUZZ_CHECK(dirac_checkpoint_save_memory(t.checkpoint, &data, &size) == DIRAC_OK);
    put("checkpoint", "training", data, size);
    dirac_buffer_free(context, data, size);
    destroy_training(&t);
}

int main(int count, char **arguments)
{
    FUZZ_CHECK(count == 2);
    folder = arguments[1];
    FUZZ_CHECK(dirac_context_create(&context) == DIRAC_OK);
    mkdir(folder, 0777);
    put_diracnet();
    put_layers();
    put_shared();
    put_volume();
    put_foreign();
    put_names();
    put_json();
    put_data();
    put_checkpoint();
    dirac_context_destroy(context);
    return 0;
}
