#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests. Without an argument: the gate, all that must pass before a change is taken. With one: a further suite.
#   sh tests/run.sh [SUITE]      "help" lists the suites
# BUILD_ROOT (default: build-tests beside this folder) holds the builds. Nothing is fetched after installing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
builds=${BUILD_ROOT:-$root/build-tests}
packages="gcc libc6-dev locales meson ninja-build pkg-config libopenblas-dev libcmocka-dev libxxhash-dev libjpeg-dev libpng-dev
python3 python3-numpy python3-pycparser"
packages="$packages abigail-tools binutils" # the recorded binary interface

# Meson uses ccache where it is; but for suite_docs nothing here is compiled twice.
export CCACHE_DISABLE=1

say() { printf '\n== %s\n' "$*"; }

# Installs what is missing, where that is allowed; otherwise prints the line to run and stops.
need() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        run=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        run="sudo"
    else
        echo "These packages are missing; run this first:" >&2
        echo "    sudo apt-get install -y$missing" >&2
        exit 1
    fi
    say "installing$missing"
    # shellcheck disable=SC2086
    $run apt-get -o DPkg::Lock::Timeout=120 update -qq &&
        DEBIAN_FRONTEND=noninteractive $run apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends \
            $missing >/dev/null
}

# build NAME [meson options]: configures (once) and builds in $builds/NAME: all, or the target that $only names. Tests are
# never left out for want of CMocka; pages are made in the gate's build alone.
build() {
    name=$1
    shift
    docs=$([ "$name" = gate ] && echo auto || echo disabled)
    if [ ! -f "$builds/$name/build.ninja" ]; then
        meson setup "$builds/$name" "$root" -Dtests=enabled -Ddocs="$docs" "$@" >"$builds/$name.log" 2>&1 ||
            { cat "$builds/$name.log"; exit 1; }
    fi
    # shellcheck disable=SC2086
    ninja -C "$builds/$name" ${only:-} >"$builds/$name.log" 2>&1 || { grep -v '^\[' "$builds/$name.log" | tail -40; exit 1; }
}

# count NAME: adds up what meson's log of the last run says.
passed=0
run_tests() {
    name=$1
    shift
    meson test -C "$builds/$name" --no-rebuild --print-errorlogs "$@" >"$builds/$name.tests.log" 2>&1 ||
        { cat "$builds/$name.tests.log"; exit 1; }
    count=$(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$builds/$name.tests.log")
    skipped=$(sed -n 's/^Skipped: *\([0-9]*\).*/\1/p' "$builds/$name.tests.log")
    echo "$name: $count programs passed, ${skipped:-0} skipped"
    passed=$((passed + count))
}

suite_gate() {
    need $packages
    say "build, with warnings as errors"
    build gate --werror
    say "tests"
    run_tests gate --no-suite bindings
}

# The float64 reference once more, compared with what is stored.
suite_reference() {
    need $packages python3-torch python3-numpy
    say "reference"
    /usr/bin/python3 "$root/tests/reference/generate.py" --check "$root/tests/reference/data"
    passed=$((passed + 1))
}

# Web pages, manual pages and the code in all pages, from sources that are documented in full; the blocks that build and
# install the library as a user would, which the gate leaves out, among them, but for DOCS=short.
suite_docs() {
    need $packages doxygen mandoc man-db python3-matplotlib ccache
    say "documentation"
    export CCACHE_DIR="$builds/ccache" CCACHE_NOHASHDIR=1 # the pages build the library four times, with the same options
    unset CCACHE_DISABLE
    build gate --werror
    meson configure "$builds/gate" -Ddocs=enabled
    build gate
    run_tests gate --suite docs
    [ "${DOCS:-long}" = long ] || return 0
    /usr/bin/python3 "$root/tests/docs/blocks.py" "$root" "$builds/gate" --all
    passed=$((passed + 1))
}

# best_kernels: the widest kernels that this machine runs.
best_kernels() {
    if [ "$(uname -m)" = aarch64 ]; then
        echo aarch64
    elif grep -qw avx512vl /proc/cpuinfo; then
        echo x86-64-v4
    elif grep -qw avx2 /proc/cpuinfo; then
        echo x86-64-v3
    fi
}

# few_options: options of a short build: no examples, and of the kernels the scalar ones and the widest that this machine runs.
few_options() {
    kernels=$(best_kernels)
    echo "-Dexamples=disabled -Dkernels=scalar${kernels:+,$kernels}"
}

# Address and undefined-behaviour sanitizers over the same tests, but for those that train many nets. Clang's, which see
# arithmetic on null pointers, as GCC's do not in C. All sanitizers with -O1, as their manuals advise: what kernels of -O3 save
# in running is less than what they cost to compile under them.
# SANITIZERS=short: of the kernels the scalar and the widest ones alone, and not the programs of examples/, processes killed
# as they save (no sanitizer survives that to speak) or gradients of convolutions against differences, which take long; their
# kernels are tested by themselves.
suite_sanitizers() {
    need $packages clang libclang-rt-dev llvm
    say "address and undefined behaviour"
    options="" left_out=""
    if [ "${SANITIZERS:-long}" = short ]; then
        options=$(few_options)
        left_out="-e killed -e gradients_convolution"
    fi
    # shellcheck disable=SC2086
    CC=clang build sanitizers -Dbuildtype=debugoptimized -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false \
        '-Dc_args=-fno-sanitize-recover=undefined -Wno-pass-failed' $options
    # shellcheck disable=SC2046,SC2086
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_tests sanitizers -t 10 --no-suite slow \
        $(meson test -C "$builds/sanitizers" --list --no-suite slow 2>/dev/null | sed -n 's,.* / ,,p' |
            grep -vx -e '' $left_out)
}

# The long forms of tests/fault: every allocation of every scenario, the hooks in all of them, a large file damaged in
# many places, and KILLS (default 500) processes killed as they save.
suite_faults() {
    need $packages
    say "faults"
    build gate --werror
    "$builds/gate/tests/fault/test_allocation"
    "$builds/gate/tests/fault/test_hooks"
    "$builds/gate/tests/fault/test_damaged_large" 2000
    "$builds/gate/tests/fault/test_killed" "${KILLS:-500}"
    passed=$((passed + 4))
}

# list_tests NAME [--suite SUITE]...: names of tests in $builds/NAME, without those that look at how the library is built.
list_tests() {
    name=$1
    shift
    meson test -C "$builds/$name" --list "$@" 2>/dev/null | sed -n 's,.* / ,,p' |
        grep -vx -e symbols -e archive -e description -e headers -e abi -e hooks -e thread_rules_listed
}

# ThreadSanitizer. THREADS_FORM=long: over all that trains no large net, not only over what starts threads. On the scalar
# kernels: lanes are handed their work by the same lines whatever the instruction set.
suite_threads() {
    need $packages
    say "threads"
    tests="threads prefetch threads_api lifetimes parallel thread_rules host_blas"
    [ "${THREADS_FORM:-short}" = long ] ||
        only="tests/test_threads tests/test_prefetch tests/test_threads_api tests/test_lifetimes
tests/fault/test_parallel tests/fault/test_thread_rules tests/fault/test_host_blas"
    build threads -Dbuildtype=debugoptimized -Doptimization=1 -Db_sanitize=thread -Db_lundef=false -Dexamples=disabled \
        -Dkernels=scalar
    [ "${THREADS_FORM:-short}" = short ] ||
        tests=$(list_tests threads --suite unit --suite layers --suite api --suite fault --no-suite slow)
    # shellcheck disable=SC2086
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 run_tests threads -t 20 $tests
}

# Valgrind's memcheck over the release build. A forked child cannot give back what belongs to threads that it does not have:
# where programs fork, what is lost is no error. VALGRIND_FORM=long: over all that trains no large net.
suite_valgrind() {
    need $packages valgrind
    say "valgrind"
    build gate --werror
    check="valgrind -q --error-exitcode=9 --child-silent-after-fork=yes --fair-sched=yes --leak-check=full"
    forking="prefetch" tests="threads context lifetimes sessions"
    if [ "${VALGRIND_FORM:-short}" = long ]; then
        # without environment and its twin: Valgrind does not flush subnormal numbers, which they look at; host_blas, whose
        # threads wait busily for each other, takes longer there than anyone waits
        forking="prefetch threads_api parallel"
        tests=$(list_tests gate --suite unit --suite api --suite fault --no-suite slow |
            grep -vx -e threads_api -e parallel -e prefetch -e killed -e host_blas -e environment -e environment_comma)
    fi
    # shellcheck disable=SC2086
    run_tests gate -t 40 --wrapper "$check --errors-for-leak-kinds=definite,possible" $tests
    # shellcheck disable=SC2086
    run_tests gate -t 40 --wrapper "$check --errors-for-leak-kinds=none --show-leak-kinds=none" $forking
}

# Which lines and branches of lib/ the tests reach; fails below 98 and 90 in a hundred, and where what is left has no
# written reason in tests/coverage/classes.txt. Line by line it is in $builds/coverage.txt.
suite_coverage() {
    need $packages gcovr
    say "coverage"
    build coverage -Dbuildtype=debug -Doptimization=0 -Db_ndebug=true -Db_coverage=true -Dexamples=disabled \
        -Dc_args=-fprofile-update=atomic
    find "$builds/coverage" -name '*.gcda' -exec rm {} +
    # shellcheck disable=SC2046
    DIRAC_LONG=1 run_tests coverage -t 10 joined_norms unneeded_gradients $(list_tests coverage --suite unit --suite layers --suite api \
        --suite fault --suite reference --no-suite slow)
    (cd "$builds/coverage" && gcovr -r "$root" --object-directory . --filter "$root/lib/" --exclude-unreachable-branches \
        --exclude-throw-branches --txt "$builds/coverage.txt" --json "$builds/coverage.json" --print-summary \
        --fail-under-line 98 --fail-under-branch 90)
    /usr/bin/python3 "$root/tests/coverage/left.py" "$root" "$builds/coverage.json" "$root/tests/coverage/classes.txt"
    passed=$((passed + 1))
}

# Faults sown into lib/, one at a time: each must make a test fail. MUTANTS: the numbers of some.
suite_mutants() {
    need $packages
    say "mutants"
    # shellcheck disable=SC2086
    /usr/bin/python3 "$root/tests/mutants/mutants.py" "$root" "$builds" ${MUTANTS:-}
    passed=$((passed + 1))
}

# compile_with COMPILER LEVEL LTO: the library, and what its unit tests need, which then run.
compile_with() {
    say "$1 -O$2, link-time optimisation $3"
    name=$1-O$2-lto-$3
    only=units CC=$1 CC_LD=$([ "$1" = gcc ] || echo lld) build "$name" --werror -Doptimization="$2" \
        -Db_lto="$3" -Dexamples=disabled
    run_tests "$name" -t 10 --suite unit
}

every_compiler() {
    for compiler in gcc clang; do
        for lto in false true; do
            for level in 0 1 2 3; do
                compile_with $compiler $level $lto
            done
        done
    done
}

# Other compilers, levels of optimisation and options. COMPILERS=long: all tests, kernels and examples; each compiler, gcc too,
# with each level, with and without optimisation at link time, and the unit tests with all of them; without BLAS and images by
# gcc too.
suite_compilers() {
    need $packages clang lld llvm
    say "gcc -O0"
    build gcc-O0 --werror -Doptimization=0 -Dtests=disabled
    passed=$((passed + 1))
    say "clang, without BLAS and images"
    options=""
    [ "${COMPILERS:-short}" = long ] || options=$(few_options)
    # shellcheck disable=SC2086
    CC=clang build plain --werror -Dblas=disabled -Djpeg=disabled -Dpng=disabled $options
    if [ -n "$options" ]; then
        run_tests plain --suite unit --suite layers --suite api --no-suite slow
        return
    fi
    run_tests plain --no-suite bindings --no-suite slow
    say "gcc, without BLAS and images"
    build plain-gcc --werror -Dblas=disabled -Djpeg=disabled -Dpng=disabled
    run_tests plain-gcc --no-suite bindings
    every_compiler
}

# The language bindings, each beside the C program that tells the same story.
suite_bindings() {
    need $packages python3-numpy rustc
    say "bindings"
    build gate --werror
    run_tests gate --suite bindings
    [ "${skipped:-0}" = 0 ] || { cat "$builds/gate.tests.log"; exit 1; }
}

# in_pairs FUNCTION ITEM...: calls it with each item, two at a time; each counts as a test.
in_pairs() {
    function=$1
    shift
    while [ $# -gt 0 ]; do
        "$function" "$1" &
        first=$!
        failed=0
        if [ $# -gt 1 ]; then
            shift
            "$function" "$1" || failed=1
            passed=$((passed + 1))
        fi
        wait $first || failed=1
        [ $failed = 0 ] || exit 1
        passed=$((passed + 1))
        shift
    done
}

fuzz_target() {
    corpus=$1
    target=$(basename "$corpus")
    fuzzer=$builds/fuzz/tests/fuzz/fuzz_$target
    found=$builds/fuzz/found/$target
    mkdir -p "$found"
    log=$builds/fuzz/$target.log
    (cd "$builds/fuzz" && "$fuzzer" -runs=0 "$corpus" && "$fuzzer" -max_total_time="${FUZZ_SECONDS:-4}" \
        -timeout=300 -max_len=4096 -dict="$root/tests/fuzz/words.dict" -print_final_stats=1 "$found" "$corpus") \
        >"$log" 2>&1 || { tail -60 "$log"; return 1; }
    echo "$target: $(find "$corpus" -type f | wc -l) inputs replayed," \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") new ones tried"
}

# Hostile input, by libFuzzer under both sanitizers: the whole corpus, then FUZZ_SECONDS (default 4) of new inputs for each
# target of tests/fuzz. A crash leaves its input in $builds/fuzz. FUZZ_KEEP=FOLDER: seconds of CPU time, added up over runs
# with that folder, which keeps the inputs; FUZZ_TARGETS: some targets alone.
suite_fuzz() {
    need $packages clang libclang-rt-dev llvm
    say "fuzzers"
    only=fuzzers CC=clang build fuzz -Dfuzz=true -Dexamples=disabled -Dkernels=scalar -Ddebug=true -Doptimization=1 \
        -Db_ndebug=false \
        -Db_sanitize=address,undefined -Db_lundef=false \
        '-Dc_args=-fno-sanitize-recover=all -Wno-pass-failed'
    export UBSAN_OPTIONS=print_stacktrace=1
    if [ -n "${FUZZ_KEEP:-}" ]; then
        # shellcheck disable=SC2086
        /usr/bin/python3 "$root/tests/fuzz/long.py" "$builds/fuzz/tests/fuzz" "$root/tests/fuzz/corpus" "$FUZZ_KEEP" \
            "${FUZZ_SECONDS:-4}" ${FUZZ_TARGETS:-}
        passed=$((passed + 1))
        return
    fi
    in_pairs fuzz_target "$root"/tests/fuzz/corpus/*
}

# step TITLE SCRIPT [arguments]: runs one of tests/install on a line of its own; each counts as a test.
step() {
    say "$1"
    script=$2
    shift 2
    sh "$root/tests/install/$script" "$root" "$builds" "$@"
    passed=$((passed + 1))
}

# What a user or packager does with the library: install, link in every way, embed, build again to the same bytes.
# INSTALL=short: with less optimisation, where the programs do not need more.
suite_install() {
    need $packages g++ clang
    levels=$([ "${INSTALL:-long}" = long ] && echo 3 3 || echo 1 0)
    step "an installation, with the build out of sight" prefix.sh "${levels% *}"
    step "with nothing optional" least.sh
    step "a meson subproject" subproject.sh
    step "two ABI versions in one process" two_versions.sh
    step "two builds, the same bytes" reproducible.sh "${levels#* }"
}

# The Debian packages, with their tests (PACKAGING=nocheck leaves those out), under lintian's eyes.
suite_packaging() {
    need $packages doxygen g++ debhelper dpkg-dev fakeroot lintian
    step "Debian packages" debian.sh "${PACKAGING:-check}"
}

# Other architectures under QEMU, s390x (big-endian), arm64 and armel (32 bits): CROSS names them, CROSS_FORM=short runs
# the tests that look at bytes, files and kernels alone.
suite_cross() {
    for arch in ${CROSS:-s390x arm64 armel}; do
        need $packages qemu-user "libc6-dev-$arch-cross" \
            "gcc-$(echo "$arch" | sed 's/arm64/aarch64-linux-gnu/; s/s390x/s390x-linux-gnu/; s/armel/arm-linux-gnueabi/')"
        step "$arch" cross.sh "$arch" "${CROSS_FORM:-long}"
    done
}

# A host that runs for SOAK_SECONDS (default 15).
suite_soak() {
    need $packages
    say "soak"
    build gate --werror
    (cd "$builds/gate" && ./tests/dirac-soak --seconds "${SOAK_SECONDS:-15}")
    passed=$((passed + 1))
}

# cppcheck and clang-tidy (as .clang-tidy says) over lib/, examples/ and the headers, each file as the gate compiles it,
# the kernels for one instruction set. LINT_FORM=short asks clang-tidy about those folders alone that handle the host's
# memory and bytes. Not asked of cppcheck: casts of scratch memory, which is aligned for any type, and readdir_r(), which
# glibc has deprecated.
suite_lint() {
    need $packages clang-tidy cppcheck python3-minimal
    build gate --werror
    folders=""
    [ "${LINT_FORM:-long}" = long ] || folders="lib/api lib/base lib/io"
    # shellcheck disable=SC2086
    /usr/bin/python3 "$root/tests/lint/commands.py" "$builds/gate/compile_commands.json" "$builds/lint" $folders \
        >"$builds/lint.files"
    limits="-DCHAR_BIT=8 -DUCHAR_MAX=255 -DSHRT_MIN=-32768 -DSHRT_MAX=32767 -DUSHRT_MAX=65535 -DINT_MIN=-2147483648
-DINT_MAX=2147483647 -DUINT_MAX=4294967295u" # png.h asks for them, and cppcheck does not read the system's headers
    say "cppcheck"
    # shellcheck disable=SC2086
    cppcheck -j2 --quiet --project="$builds/lint/compile_commands.json" --enable=warning,performance,portability \
        --inline-suppr --error-exitcode=1 --library=posix --library="$root/tests/lint/cppcheck.cfg" \
        --suppress=invalidPointerCast --suppress=readdirCalled $limits
    passed=$((passed + 1))
    say "clang-tidy, $(wc -l <"$builds/lint.files") files"
    xargs -P 2 -n 8 clang-tidy -p "$builds/lint" --quiet <"$builds/lint.files" >"$builds/lint.log" 2>&1 ||
        { grep -v 'warnings\{0,1\} generated' "$builds/lint.log"; exit 1; }
    passed=$((passed + 1))
}

mkdir -p "$builds"
suite=${1:-gate}
command -v "suite_$suite" >/dev/null || {
    sed -n '3,5p' "$0"
    sed -n 's/^suite_\(.*\)() {$/    \1/p' "$0"
    exit 2
}
started=$(date +%s)
"suite_$suite"
# Beside the time on the clock that of all processors: twice as much where two of them are kept busy.
times >"$builds/times"
printf '\n%d passed, 0 failed\n%s: %d s, %s s of processor time\n' "$passed" "$suite" $(($(date +%s) - started)) \
    "$(awk -F '[ms ]' 'END { print int($1 * 60 + $2 + $4 * 60 + $5 + 0.5) }' "$builds/times")"
