/* SPDX-License-Identifier: MIT */
/*
 * What the paper's networks share. The layers are made with the public builder alone; only the refusal of an argument
 * reaches into the net, to stick.
 */
#include "models/model.h"

#include <math.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/number.h"
#include "graph/net.h"

dirac_node *dirac__model_refuse(dirac_net *net, int32_t status)
{
    if (net != NULL)
        dirac__net_stick(net, status);
    return NULL;
}

bool dirac__model_depth(const char *model, int32_t depth, int32_t step, int32_t offset, int32_t *n,
                        int32_t *status)
{
    if (depth < step + offset || (depth - offset) % step != 0) {
        *status =
            dirac__fail(DIRAC_ERR_ARGUMENT,
                        "%s: depth is %d, must be %d N + %d with N at least 1: %d, %d, %d, ...",
                        model, (int)depth, (int)step, (int)offset, (int)(step + offset),
                        (int)(2 * step + offset), (int)(3 * step + offset));
        return false;
    }
    if (depth > DIRAC__MODEL_MAX_DEPTH) {
        *status = dirac__fail(DIRAC_ERR_LIMIT, "%s: depth is %d, must be at most %d", model,
                              (int)depth, DIRAC__MODEL_MAX_DEPTH);
        return false;
    }
    *n = (depth - offset) / step;
    return true;
}

bool dirac__model_width(const char *model, double width, int64_t base, int64_t most,
                        int32_t *status)
{
    double least_width = 1.0 / (double)base,
           most_width = (double)DIRAC__MAX_DIMENSION / (double)most;
    if (isfinite(width) && width >= least_width && width <= most_width)
        return true;
    char text[DIRAC__NUMBER_CAPACITY], least[DIRAC__NUMBER_CAPACITY],
        greatest[DIRAC__NUMBER_CAPACITY];
    *status = dirac__fail(DIRAC_ERR_ARGUMENT,
                          "%s: width is %s, must be %s to %s: the first group has %lld channels "
                          "times width, at least 1",
                          model, dirac__format_number(text, width, 6),
                          dirac__format_number(least, least_width, 6),
                          dirac__format_number(greatest, most_width, 9), (long long)base);
    return false;
}

int64_t dirac__model_channels(double width, int64_t base)
{
    return (int64_t)((double)base * width);
}

bool dirac__model_form(const char *model, int32_t form, int32_t *status)
{
    if (form >= DIRAC_FORM_PLAIN && form <= DIRAC_FORM_FIXED_DELTA)
        return true;
    *status =
        dirac__fail(DIRAC_ERR_ARGUMENT, "%s: form is %d, must be a DIRAC_FORM_* value, %d to %d",
                    model, (int)form, DIRAC_FORM_PLAIN, DIRAC_FORM_FIXED_DELTA);
    return false;
}

bool dirac__model_18_or_34(const char *model, int32_t depth, int32_t *status)
{
    if (depth == 18 || depth == 34)
        return true;
    *status =
        dirac__fail(DIRAC_ERR_ARGUMENT, "%s: depth is %d, must be 18 or 34", model, (int)depth);
    return false;
}

dirac_node *dirac__model_named(dirac_node *x, const char *name)
{
    if (x != NULL)
        dirac_node_set_name(x, name);
    return x;
}

dirac_node *dirac__model_numbered(dirac_node *x, const char *name, int32_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, (int)number);
    return dirac__model_named(x, text);
}

void dirac__model_push_block(dirac_net *net, int32_t group, int32_t block)
{
    char text[48];
    snprintf(text, sizeof text, "group%d.block%d", (int)group, (int)block);
    dirac_net_push_scope(net, text);
}

dirac_node *dirac__model_set(dirac_node *x, const char *attribute, int64_t value)
{
    if (x != NULL)
        dirac_node_set_ints(x, attribute, &value, 1);
    return x;
}

dirac_node *dirac__model_conv(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel,
                              int64_t stride, int32_t form)
{
    x = dirac__model_set(dirac_net_conv2d(net, x, channels, kernel), "stride", stride);
    if (x != NULL)
        dirac_node_set_int(x, "form", form);
    return x;
}

dirac_node *dirac__model_conv_bias(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel,
                                   int32_t number)
{
    x = dirac__model_numbered(dirac_net_conv2d(net, x, channels, kernel), "conv", number);
    if (x != NULL)
        dirac_node_set_int(x, "bias", 1);
    return x;
}

dirac_node *dirac__model_max_pool(dirac_net *net, dirac_node *x, int64_t kernel, int64_t stride,
                                  int32_t ceil)
{
    x = dirac__model_set(dirac_net_max_pool2d(net, x, kernel), "stride", stride);
    if (x != NULL)
        dirac_node_set_int(x, "ceil", ceil);
    return x;
}

dirac_node *dirac__model_imagenet_stem(dirac_net *net, dirac_node *x, int64_t channels, bool relu)
{
    x = dirac__model_named(dirac__model_conv(net, x, channels, 7, 2, DIRAC_FORM_PLAIN), "conv");
    x = dirac__model_named(dirac_net_batch_norm(net, x), "bn");
    if (relu)
        x = dirac_net_relu(net, x);
    return dirac__model_set(dirac__model_max_pool(net, x, 3, 2, 0), "padding", 1);
}

dirac_node *dirac__model_head(dirac_net *net, dirac_node *x, int64_t classes)
{
    x = dirac_net_global_average_pool(net, dirac_net_relu(net, x));
    return dirac__model_named(dirac_net_linear(net, x, classes), "fc");
}
