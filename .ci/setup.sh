# shellcheck shell=bash
# What ./quickstart, ./test and .ci/run share. Sourced from the repository root, not run.
# Everything is said on stderr, so that stdout belongs to the program that is run in the end.

# shellcheck disable=SC2034  # the scripts that source this file use the lists

# The one list of what revoxel needs from the system, by Debian's and Ubuntu's names.
build_packages=(g++ cmake ninja-build libnifti2-dev libcli11-dev libfmt-dev nlohmann-json3-dev libisal-dev libdeflate-dev
                libpng-dev zlib1g-dev)
test_packages=(libgtest-dev)        # and python3-venv, where no Python with venv is found
check_packages=(clang-format shellcheck g++-aarch64-linux-gnu qemu-user googletest)

# CUDA takes minutes for each kind of GPU. The scripts compile for those of this machine, and without one for a kind that
# shows that it compiles; cmake by itself compiles for all that cmake/revoxel_cuda.cmake names.
if [[ -z ${CUDAARCHS:-} ]]; then
    CUDAARCHS=90
    if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then CUDAARCHS=native; fi
    export CUDAARCHS
fi

say() { printf '%s\n' "$*" >&2; }

heading() {
    if [[ -t 2 ]]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else say "== $*"; fi
}

explain_by_hand() {  # PACKAGE...: what to do where this script may not or cannot install
    say ""
    say "revoxel needs these packages (names of Debian 12 and Ubuntu 24.04; other systems have the same libraries under"
    say "similar names):"
    say "    $*"
    say "When they are there:"
    say "    cmake --preset release -DREVOXEL_TESTS=OFF && cmake --build --preset release"
    say "    build/release/bin/revoxel --help"
    say "To skip this check and go on with what is installed: REVOXEL_SKIP_PACKAGES=1 $0"
}

missing_packages() {  # PACKAGE...: prints those that are not installed
    local installed package
    # shellcheck disable=SC2016  # the ${} belong to dpkg-query
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        grep -qxF "installed $package" <<<"$installed" || printf '%s\n' "$package"
    done
}

# Installs what is missing with apt and asks nothing, unless sudo itself wants a password on a terminal.
ensure_packages() {  # PACKAGE...
    [[ -z ${REVOXEL_SKIP_PACKAGES:-} ]] || return 0
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is not a Debian or Ubuntu system (no apt-get), so nothing can be installed for you."
        explain_by_hand "$@"
        return 1
    fi
    local missing as_root=()
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $(id -u) -ne 0 ]]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
            as_root=(sudo)
        else
            say "Some packages are missing, and installing them takes root or sudo, which this user does not have here."
            say "An administrator can run:"
            say "    apt-get install ${missing[*]}"
            explain_by_hand "$@"
            return 1
        fi
    fi
    heading "Installing with apt: ${missing[*]}"
    local log apt
    log=$(mktemp)
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        say "apt could not install them."
        explain_by_hand "$@"
        return 1
    fi
    rm -f "$log"
}

# A cmake that was found, but is older than the project's minimum, deserves better than its own error.
require_cmake() {
    local found
    if ! found=$(cmake --version 2>/dev/null | sed -n '1s/.*version //p') || [[ -z $found ]]; then
        say "cmake was not found."
        explain_by_hand "${build_packages[@]}"
        return 1
    fi
    if [[ $(printf '%s\n3.25\n' "$found" | sort -V | head -n 1) != 3.25 ]]; then
        say "cmake is $found, and revoxel needs 3.25 or newer (Debian 12 and Ubuntu 24.04 have it; so does PyPI)."
        return 1
    fi
}

cache_value() {  # PRESET NAME: prints the value that the build folder remembers
    sed -n "s/^$2:[A-Z]*=//p" "build/$1/CMakeCache.txt" 2>/dev/null || true
}

configure() {  # PRESET [-DNAME=VALUE...]: configures only when something would change
    local preset=$1 home option fresh=() wanted=()
    shift
    home=$(cache_value "$preset" CMAKE_HOME_DIRECTORY)
    if [[ -n $home && $home != "$PWD" ]]; then fresh=(--fresh); fi  # the folder was moved or copied
    for option in "$@"; do
        local name=${option#-D}
        if [[ $(cache_value "$preset" "${name%%=*}") != "${name#*=}" ]]; then wanted+=("$option"); fi
    done
    if [[ ! -f build/$preset/build.ninja || ${#fresh[@]} -gt 0 || ${#wanted[@]} -gt 0 ]]; then
        heading "Configuring (preset $preset)"
        mkdir -p "build/$preset"
        if ! cmake "${fresh[@]}" --preset "$preset" "$@" >"build/$preset/configure.log" 2>&1; then
            cat "build/$preset/configure.log" >&2
            say "Configuring failed."
            return 1
        fi
        say "$(cache_value "$preset" REVOXEL_CUDA_SUMMARY)"
    fi
}

launcher=()  # what programs are built and tested under

build() {  # PRESET [TARGET...]
    local preset=$1 quiet=(-- --quiet)
    shift
    # Nothing to do is nothing to say.
    local command=("${launcher[@]}" cmake --build --preset "$preset" ${1:+--target "$@"})
    if [[ $("${command[@]}" -- -n 2>/dev/null) == *"no work to do"* ]]; then return 0; fi
    heading "Building (preset $preset)"
    if [[ -t 2 ]]; then quiet=(); fi
    if ! "${command[@]}" "${quiet[@]}" >&2; then
        say "Building failed."
        return 1
    fi
}
