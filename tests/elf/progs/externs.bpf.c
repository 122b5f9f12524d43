#include "common.h"
enum libbpf_tristate_mine { A };
extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern enum libbpf_tristate CONFIG_NO_SUCH_OPTION __kconfig __weak;
extern char CONFIG_CC_VERSION_TEXT[20] __kconfig __weak;
extern u64 CONFIG_HZ __kconfig __weak;
extern const int bpf_prog_active __ksym __weak;
extern const void bpf_prog_put __ksym;
extern const void no_such_symbol __ksym __weak;
extern const int no_such_variable __ksym __weak;
struct task_struct { int pid; } __attribute__((preserve_access_index));
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void no_such_kfunc(struct task_struct *p) __ksym __weak;
volatile u64 out[16];

SEC("tp_btf/task_newtask") int kfuncs(u64 *ctx)
{
	struct task_struct *t = bpf_task_acquire((void *)ctx[0]);
	if (t)
		bpf_task_release(t);
	return 0;
}
SEC("raw_tp/sched_switch") int symbols(void *ctx)
{
	out[0] = LINUX_KERNEL_VERSION;
	out[1] = CONFIG_BPF_SYSCALL;
	out[2] = CONFIG_NO_SUCH_OPTION;
	out[3] = CONFIG_CC_VERSION_TEXT[2];
	out[4] = CONFIG_HZ;
	out[5] = (u64)&bpf_prog_put;
	out[6] = (u64)&no_such_symbol;
	out[7] = &no_such_variable ? 1 : 0;
	return 0;
}
