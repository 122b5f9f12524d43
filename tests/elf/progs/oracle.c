/* Loads an object with libbpf, for the types in a second file if one is given, and prints what libbpf gives to the kernel: every BPF_PROG_LOAD as text.
 *
 * libbpf calls syscall(2) through the dynamic linker, so the definition here is the one that it finds. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static int watching;

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = dlsym(RTLD_NEXT, "syscall");
	if (number == __NR_bpf && a[0] == BPF_PROG_LOAD && watching) {
		union bpf_attr *attr = (void *)a[1];
		const struct bpf_insn *insn = (void *)(long)attr->insns;

		printf("prog %s %u\n", attr->prog_name, attr->prog_type);
		for (unsigned i = 0; i < attr->insn_cnt; i++) {
			const unsigned char *raw = (void *)&insn[i];
			for (int b = 0; b < 8; b++)
				printf("%02x", raw[b]);
			if (insn[i].code == 0x18 && (insn[i].src_reg == 1 || insn[i].src_reg == 2)) {
				struct bpf_map_info info = {};
				__u32 size = sizeof(info);

				watching = 0;
				if (!bpf_obj_get_info_by_fd(insn[i].imm, &info, &size))
					printf(" %s", info.name);
				watching = 1;
			}
			printf("\n");
		}
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int main(int argc, char **argv)
{
	libbpf_set_print(quiet);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = argc > 2 ? argv[2] : NULL);
	struct bpf_object *obj = bpf_object__open_file(argv[1], &opts);
	if (!obj || libbpf_get_error(obj)) {
		printf("open failed\n");
		return 2;
	}
	watching = 1;
	int err = bpf_object__load(obj);
	printf("load %d\n", err);
	struct bpf_map *map;
	bpf_object__for_each_map(map, obj)
		printf("map %s %d %u %u %u %u\n", bpf_map__name(map), bpf_map__type(map), bpf_map__key_size(map),
		       bpf_map__value_size(map), bpf_map__max_entries(map), bpf_map__map_flags(map));
	bpf_object__close(obj);
	return err ? 1 : 0;
}
