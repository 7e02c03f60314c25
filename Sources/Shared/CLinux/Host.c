#include "CLinux.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

void clinux_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) {
    memset(registers, 0, 4 * sizeof registers[0]);
#if defined(__x86_64__) || defined(__i386__)
    if (__get_cpuid_max(leaf & 0x80000000u, NULL) >= leaf)
        __cpuid_count(leaf, subleaf, registers[0], registers[1], registers[2], registers[3]);
#else
    (void)leaf;
    (void)subleaf;
#endif
}

int clinux_kvm_extension(int device, int extension) {
    int result = ioctl(device, KVM_CHECK_EXTENSION, extension);
    return result < 0 ? -errno : result;
}
