/* SPDX-License-Identifier: MIT */
/* Which library this is. The build defines DIRAC_HAVE_BLAS (0 or 1) and DIRAC_KERNEL_NAMES ("scalar,x86-64-v3"). */
#include <dirac/version.h>

#define QUOTE_EXPANDED(x) #x
#define QUOTE(x) QUOTE_EXPANDED(x)

#if DIRAC_HAVE_BLAS
#define BLAS_WORD "blas "
#else
#define BLAS_WORD ""
#endif

const char *dirac_version_string(void)
{
    return QUOTE(DIRAC_VERSION_MAJOR) "." QUOTE(DIRAC_VERSION_MINOR) "." QUOTE(DIRAC_VERSION_PATCH);
}

int32_t dirac_version_number(void)
{
    return DIRAC_VERSION_MAJOR * 1000000 + DIRAC_VERSION_MINOR * 1000 + DIRAC_VERSION_PATCH;
}

int32_t dirac_abi_version(void)
{
    return DIRAC_ABI_VERSION;
}

const char *dirac_build_features(void)
{
    return BLAS_WORD "kernels:" DIRAC_KERNEL_NAMES;
}
