/* SPDX-License-Identifier: MIT */
/*
 * A host that runs for long: dirac-soak [--cycles N | --seconds S] [--readers R]
 *
 * One cycle restores a checkpoint, trains a few steps from prefetched batches, meets a batch and a file that are
 * refused, folds, saves and loads, and hands the folded net to reader threads, which have been answering all the time.
 * As every cycle starts from the same checkpoint, every file and every answer must have the bits of the first. When all
 * readers have taken the new net, the bytes and blocks of the allocator, open files and threads must be those of the
 * cycle before; the resident set may not grow beyond what warming up took. Prints one line of figures; ends with 1 at
 * the first difference.
 */
#include <dirent.h>
#include <getopt.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <dirac/dirac.h>

#include "support/counting_memory.h"
#include "support/sanitizers.h"

#if ADDRESS_SANITIZER || THREAD_SANITIZER
#define CHECK_RESIDENT 0 /* they keep freed memory on purpose */
#else
#define CHECK_RESIDENT 1
#endif

enum { READERS_MOST = 16, CLASSES = 4, BATCH = 8, IMAGES = 40, SIZE = 8, PIXELS = 3 * SIZE * SIZE };

/* Room for the C library, whose pages in use change with where the threads' blocks fall: a few of its steps of 128 KiB. */
#define RESIDENT_SLACK ((size_t)1 << 20)

#define require(condition) require_at((condition), #condition, __LINE__)
#define ok(call) require((call) == DIRAC_OK)

static void require_at(int holds, const char *condition, int line)
{
    if (holds)
        return;
    fprintf(stderr, "dirac-soak: line %d: %s does not hold; last error: %s\n", line, condition, dirac_error_message());
    exit(1);
}

/* ---- what lives from the first cycle to the last ---- */

typedef struct host {
    counting memory;
    dirac_context *context;
    dirac_net *net;
    dirac_session *training;
    dirac_sgd *sgd;
    dirac_dataset *set;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
    void *start; /* the checkpoint that each cycle begins with */
    size_t start_size;
    void *first_file; /* of the folded net, from the first cycle */
    size_t first_size;
    float images[IMAGES * PIXELS];
    float answers[IMAGES * CLASSES]; /* of the first folded net */
} host;

static host h;

static dirac_net *make_net(void)
{
    dirac_net *net;
    ok(dirac_net_create(&net, h.context));
    dirac_node *x = dirac_net_input2d(net, 3, SIZE, SIZE);
    x = dirac_model_diracnet_cifar(net, x, 10, 1, 8, DIRAC_FORM_NORMALIZED_DELTA);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_dropout(net, x, 0.25f), CLASSES));
    ok(dirac_net_build(net));
    return net;
}

static void make_data(void)
{
    static uint8_t pixels[IMAGES * PIXELS];
    int32_t labels[IMAGES];
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * 2654435761u >> 13);
        h.images[i] = (float)pixels[i] / 128 - 1;
    }
    for (int32_t i = 0; i < IMAGES; i++)
        labels[i] = i % CLASSES;
    ok(dirac_dataset_create_images(&h.set, h.context, 3, SIZE, SIZE));
    ok(dirac_dataset_add_images(h.set, pixels, DIRAC_LAYOUT_PLANAR, labels, IMAGES));
    ok(dirac_batches_create(&h.batches, h.set));
    ok(dirac_batches_set_size(h.batches, BATCH));
    ok(dirac_batches_set_shuffle(h.batches, 1));
    ok(dirac_batches_set_flip(h.batches, 1));
    ok(dirac_batches_set_crop(h.batches, 2, DIRAC_PAD_REFLECT));
    ok(dirac_batches_set_prefetch(h.batches, 2));
}

static dirac_session *make_session(dirac_net *net, int32_t mode, int64_t batch)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, mode));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_set_strict(session, 1)); /* equal bits for any batch */
    ok(dirac_session_prepare(session));
    return session;
}

static void set_up(void)
{
    ok(dirac_context_create_with_allocator(&h.context, counting_allocate, counting_release, &h.memory));
    ok(dirac_context_set_threads(h.context, 2));
    h.net = make_net();
    make_data();
    h.training = make_session(h.net, DIRAC_TRAIN, BATCH);
    ok(dirac_sgd_create(&h.sgd, h.net));
    ok(dirac_sgd_set_momentum(h.sgd, 0.9f));
    ok(dirac_checkpoint_create(&h.checkpoint, h.context));
    ok(dirac_checkpoint_add_net(h.checkpoint, "net", h.net));
    ok(dirac_checkpoint_add_sgd(h.checkpoint, "sgd", h.sgd));
    ok(dirac_checkpoint_add_session(h.checkpoint, "session", h.training));
    ok(dirac_checkpoint_add_batches(h.checkpoint, "batches", h.batches));
    ok(dirac_checkpoint_save_memory(h.checkpoint, &h.start, &h.start_size));
}

static void tear_down(void)
{
    free(h.first_file);
    dirac_buffer_free(h.context, h.start, h.start_size);
    dirac_checkpoint_destroy(h.checkpoint);
    dirac_batches_destroy(h.batches);
    dirac_dataset_destroy(h.set);
    dirac_sgd_destroy(h.sgd);
    dirac_session_destroy(h.training);
    dirac_net_destroy(h.net);
    dirac_context_destroy(h.context);
    require(h.memory.bytes == 0 && h.memory.alive == 0 && h.memory.wrong == 0);
}

/* ---- readers ---- */

typedef struct shelf {
    pthread_mutex_t mutex;
    pthread_cond_t taken;
    dirac_net *net; /* what readers are to use */
    int64_t edition;
    int64_t seen[READERS_MOST];
    int32_t readers;
    int stop;
    int64_t answers;
} shelf;

static shelf s = {.mutex = PTHREAD_MUTEX_INITIALIZER, .taken = PTHREAD_COND_INITIALIZER};

static int take_edition(dirac_session *session, int32_t reader)
{
    pthread_mutex_lock(&s.mutex);
    if (s.seen[reader] != s.edition) {
        ok(dirac_session_set_net(session, s.net));
        s.seen[reader] = s.edition;
        pthread_cond_signal(&s.taken);
    }
    const int stop = s.stop;
    pthread_mutex_unlock(&s.mutex);
    return !stop;
}

static void *read_on(void *argument)
{
    const int32_t reader = (int32_t)(intptr_t)argument;
    const float *y;
    size_t count;
    int64_t answers = 0;
    dirac_session *session = make_session(s.net, DIRAC_INFER, 4);
    for (int32_t i = reader; take_edition(session, reader); i = (i + 1) % (IMAGES - 3)) {
        const int64_t n = 1 + i % 4;
        ok(dirac_session_forward(session, h.images + (size_t)i * PIXELS, n));
        ok(dirac_session_output(session, 0, &y, &count));
        require(count == (size_t)n * CLASSES);
        require(memcmp(y, h.answers + (size_t)i * CLASSES, count * sizeof *y) == 0);
        answers += n;
    }
    pthread_mutex_lock(&s.mutex);
    s.answers += answers;
    pthread_mutex_unlock(&s.mutex);
    dirac_session_destroy(session);
    return NULL;
}

/* Hands a net over and waits until every reader has taken it: then nobody holds the one before. */
static void publish(dirac_net *net)
{
    pthread_mutex_lock(&s.mutex);
    dirac_net *before = s.net;
    s.net = net;
    s.edition++;
    for (int32_t i = 0; i < s.readers; i++)
        while (s.seen[i] != s.edition)
            pthread_cond_wait(&s.taken, &s.mutex);
    pthread_mutex_unlock(&s.mutex);
    dirac_net_destroy(before);
}

/* ---- one cycle ---- */

static void train(void)
{
    float loss;
    for (int32_t i = 0; i < 3; i++) {
        const float *x;
        const int32_t *labels;
        int64_t n;
        ok(dirac_batches_next(h.batches, &x, &labels, &n));
        ok(dirac_session_forward(h.training, x, n));
        ok(dirac_session_cross_entropy(h.training, labels, &loss));
        ok(dirac_session_backward(h.training));
        ok(dirac_sgd_step(h.sgd, h.training));
        require(isfinite(loss));
    }
}

/* A batch that is not finite: its step is refused, and it leaves nothing. */
static void meet_bad_batch(void)
{
    static const int32_t labels[2] = {0, 1};
    float x[2 * PIXELS] = {0};
    x[PIXELS] = NAN;
    ok(dirac_session_forward(h.training, x, 2));
    ok(dirac_session_cross_entropy(h.training, labels, NULL));
    ok(dirac_session_backward(h.training));
    require(dirac_sgd_step(h.sgd, h.training) == DIRAC_ERR_NOT_FINITE);
    ok(dirac_session_clear_gradients(h.training));
}

/* What is saved is what the first cycle saved, and loads; cut short or changed, it is refused. */
static void pass_file(dirac_net *folded)
{
    void *data;
    size_t size;
    dirac_net *back;
    ok(dirac_net_save_memory(folded, &data, &size));
    if (h.first_file == NULL) {
        h.first_file = malloc(h.first_size = size);
        require(h.first_file != NULL);
        memcpy(h.first_file, data, size);
    }
    require(size == h.first_size && memcmp(data, h.first_file, size) == 0);
    ok(dirac_net_load_memory(&back, h.context, data, size));
    dirac_net_destroy(back);
    require(dirac_net_load_memory(&back, h.context, data, size - 1) == DIRAC_ERR_FORMAT);
    ((unsigned char *)data)[size - 1] ^= 1;
    require(dirac_net_load_memory(&back, h.context, data, size) == DIRAC_ERR_FORMAT);
    dirac_buffer_free(h.context, data, size);
}

/* A session that lives for one call. */
static void answer(dirac_net *net, float *answers)
{
    const float *y;
    size_t count;
    dirac_session *session = make_session(net, DIRAC_INFER, IMAGES);
    ok(dirac_session_forward(session, h.images, IMAGES));
    ok(dirac_session_output(session, 0, &y, &count));
    memcpy(answers, y, count * sizeof *y);
    dirac_session_destroy(session);
}

static dirac_net *cycle(void)
{
    dirac_net *folded;
    float now[IMAGES * CLASSES];
    ok(dirac_checkpoint_load_memory(h.checkpoint, h.start, h.start_size));
    train();
    meet_bad_batch();
    ok(dirac_net_fold(&folded, h.net));
    answer(h.net, now);
    pass_file(folded);
    return folded;
}

/* ---- figures ---- */

typedef struct figures {
    size_t bytes, blocks, resident;
    int32_t files, threads;
} figures;

static int32_t count_entries(const char *path)
{
    int32_t count = 0;
    DIR *folder = opendir(path);
    require(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static figures look(void)
{
#if defined(__GLIBC__)
    malloc_trim(0); /* its free pages are nobody's memory */
#endif
    figures now = {h.memory.bytes, h.memory.alive, 0, count_entries("/proc/self/fd"), count_entries("/proc/self/task")};
    unsigned long total, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    require(file != NULL && fscanf(file, "%lu %lu", &total, &pages) == 2);
    fclose(file);
    now.resident = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
    return now;
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) * 1e-9;
}

static void soak(int64_t cycles, double seconds)
{
    struct timespec begin;
    figures first = {0}, now = {0};
    int64_t done = 0, warm = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (cycles > 0 ? done < cycles : seconds_since(&begin) < seconds) {
        publish(cycle());
        now = look();
        done++;
        if (done <= 20 || (cycles > 0 ? done <= cycles / 10 : seconds_since(&begin) < seconds / 10)) {
            const size_t most = now.resident > first.resident ? now.resident : first.resident;
            first = now; /* warming up */
            first.resident = most;
            warm = done;
        }
        require(now.bytes == first.bytes && now.blocks == first.blocks);
        require(now.files == first.files && now.threads == first.threads);
        require(!CHECK_RESIDENT || now.resident <= first.resident + RESIDENT_SLACK);
    }
    printf("%lld cycles in %.0f s; allocator %zu bytes in %zu blocks after cycle %lld, %zu in %zu after the last;"
           " resident %zu KiB, then %zu KiB; %d files, %d threads\n",
           (long long)done, seconds_since(&begin), first.bytes, first.blocks, (long long)warm, now.bytes, now.blocks,
           first.resident / 1024, now.resident / 1024, (int)now.files - 2, (int)now.threads - 2);
}

int main(int count, char **arguments)
{
    static const struct option options[] = {
        {"cycles", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"readers", 1, NULL, 'r'}, {NULL, 0, NULL, 0}};
    int64_t cycles = 0;
    double seconds = 10;
    s.readers = 2;
    for (int o; (o = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        if (o == '?')
            return 2;
        if (o == 'c')
            cycles = atoll(optarg);
        else if (o == 's')
            seconds = atof(optarg);
        else
            s.readers = atoi(optarg);
    }
    require(s.readers >= 0 && s.readers <= READERS_MOST);
    pthread_t readers[READERS_MOST];
    set_up();
    s.net = cycle();
    answer(s.net, h.answers);
    for (int32_t i = 0; i < s.readers; i++)
        require(pthread_create(&readers[i], NULL, read_on, (void *)(intptr_t)i) == 0);
    soak(cycles, seconds);
    pthread_mutex_lock(&s.mutex);
    s.stop = 1;
    pthread_mutex_unlock(&s.mutex);
    for (int32_t i = 0; i < s.readers; i++)
        pthread_join(readers[i], NULL);
    printf("%d readers gave %lld answers, all with the bits of the first\n", (int)s.readers, (long long)s.answers);
    dirac_net_destroy(s.net);
    tear_down();
    return 0;
}
