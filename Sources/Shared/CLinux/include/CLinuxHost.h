// What describing the host needs from C: instructions and requests without a Swift form. Included by CLinux.h.
#pragma once
#include <stdint.h>

// The CPUID instruction: eax, ebx, ecx, edx; all zero where the leaf, or the instruction, does not exist.
void clinux_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);
// What KVM answers to KVM_CHECK_EXTENSION on its device, or -errno.
int clinux_kvm_extension(int device, int extension);
