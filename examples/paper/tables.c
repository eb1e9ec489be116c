/* SPDX-License-Identifier: MIT */
/* The networks of the paper's tables. */
#include "tables.h"

#define CIFAR(classes) 2, classes
#define IMAGENET 3, 1000
#define DIRACNET(depth_, width_) \
    {.model = MODEL_DIRACNET, .form = DIRAC_FORM_NORMALIZED_DELTA, .depth = depth_, .width = width_}
#define RESNET(depth_, width_) {.model = MODEL_RESNET, .depth = depth_, .width = width_}
#define BOTTLENECK(depth_) {.model = MODEL_BOTTLENECK, .depth = depth_, .width = 1}
#define DIRACNET_IMAGENET(depth_) \
    {.model = MODEL_DIRACNET_IMAGENET, .form = DIRAC_FORM_NORMALIZED_DELTA, .depth = depth_, .width = 1}
#define RESNET_IMAGENET(depth_) {.model = MODEL_RESNET_IMAGENET, .depth = depth_, .width = 1}
#define OTHER(model_) {.model = model_}

const paper_entry paper_entries[] = {
    {"nin", CIFAR(10), OTHER(MODEL_NIN), 966986, 8.81, 0},
    {"vgg16-cifar", CIFAR(10), OTHER(MODEL_VGG16), 14991946, 6.09, 0},
    {"elu", CIFAR(10), OTHER(MODEL_ELU), 39226634, 6.55, 0},
    {"diracnet-28-5", CIFAR(10), DIRACNET(28, 5), 9124250, 5.16, 0},
    {"diracnet-28-10", CIFAR(10), DIRACNET(28, 10), 36450090, 4.75, 0},
    {"resnet-1001", CIFAR(10), BOTTLENECK(1001), 10327706, 4.92, 0},
    {"wrn-28-10", CIFAR(10), RESNET(28, 10), 36479194, 4.00, 0},
    {"nin-100", CIFAR(100), OTHER(MODEL_NIN), 984356, 35.67, 0},
    {"vgg16-cifar-100", CIFAR(100), OTHER(MODEL_VGG16), 15038116, 25.92, 0},
    {"elu-100", CIFAR(100), OTHER(MODEL_ELU), 39330404, 24.28, 0},
    {"diracnet-28-5-100", CIFAR(100), DIRACNET(28, 5), 9153140, 23.44, 0},
    {"diracnet-28-10-100", CIFAR(100), DIRACNET(28, 10), 36507780, 21.54, 0},
    {"resnet-1001-100", CIFAR(100), BOTTLENECK(1001), 10350836, 22.71, 0},
    {"wrn-28-10-100", CIFAR(100), RESNET(28, 10), 36536884, 19.25, 0},
    {"diracnet-18", IMAGENET, DIRACNET_IMAGENET(18), 11523368, 30.37, 10.88},
    {"resnet-18", IMAGENET, RESNET_IMAGENET(18), 11689512, 29.62, 10.62},
    {"diracnet-34", IMAGENET, DIRACNET_IMAGENET(34), 21638952, 27.79, 9.34},
    {"resnet-34", IMAGENET, RESNET_IMAGENET(34), 21797672, 27.17, 8.91},
    {"vgg-cnn-s", IMAGENET, OTHER(MODEL_VGG_CNN_S), 102908520, 0, 0},
    {"vgg16", IMAGENET, OTHER(MODEL_VGG16_IMAGENET), 138357544, 0, 0},
};
const int32_t paper_entry_count = sizeof paper_entries / sizeof paper_entries[0];
