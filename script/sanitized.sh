# To be sourced: "${launch[@]}" PROGRAM... runs what was built with sanitizers.
#
# Where the kernel spreads addresses over more than 28 bits, the sanitizers of GCC 12 and clang 14 end at random with "unexpected memory
# mapping". Not every container allows to turn that off.
launch=()
[ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || true)" = 28 ] || ! setarch -R true 2>/dev/null || launch=(setarch -R)
