"""Fields of common trace events, for compiling where there is no tracefs.

Written by tools/gen_tracepoints.py from the tracefs of Linux 6.18; do not edit.
Layouts differ between kernels: where tracefs is mounted, it is asked instead.
"""
# ruff: noqa: E501

from __future__ import annotations

# System calls: names of the arguments, each 8 bytes from offset 16 on.
CALLS = """\
accept|fd|upeer_sockaddr|upeer_addrlen
accept4|fd|upeer_sockaddr|upeer_addrlen|flags
access|filename|mode
acct|name
add_key|_type|_description|_payload|plen|ringid
adjtimex|txc_p
alarm|seconds
arch_prctl|option|arg2
bind|fd|umyaddr|addrlen
bpf|cmd|uattr|size
brk|brk
cachestat|fd|cstat_range|cstat|flags
capget|header|dataptr
capset|header|data
chdir|filename
chmod|filename|mode
chown|filename|user|group
chroot|filename
clock_adjtime|which_clock|utx
clock_getres|which_clock|tp
clock_gettime|which_clock|tp
clock_nanosleep|which_clock|flags|rqtp|rmtp
clock_settime|which_clock|tp
clone|clone_flags|newsp|parent_tidptr|child_tidptr|tls
clone3|uargs|size
close|fd
close_range|fd|max_fd|flags
connect|fd|uservaddr|addrlen
copy_file_range|fd_in|off_in|fd_out|off_out|len|flags
creat|pathname|mode
dup|fildes
dup2|oldfd|newfd
dup3|oldfd|newfd|flags
epoll_create|size
epoll_create1|flags
epoll_ctl|epfd|op|fd|event
epoll_pwait|epfd|events|maxevents|timeout|sigmask|sigsetsize
epoll_pwait2|epfd|events|maxevents|timeout|sigmask|sigsetsize
epoll_wait|epfd|events|maxevents|timeout
eventfd|count
eventfd2|count|flags
execve|filename|argv|envp
execveat|fd|filename|argv|envp|flags
exit|error_code
exit_group|error_code
faccessat|dfd|filename|mode
faccessat2|dfd|filename|mode|flags
fadvise64|fd|offset|len|advice
fallocate|fd|mode|offset|len
fanotify_init|flags|event_f_flags
fanotify_mark|fanotify_fd|flags|mask|dfd|pathname
fchdir|fd
fchmod|fd|mode
fchmodat|dfd|filename|mode
fchmodat2|dfd|filename|mode|flags
fchown|fd|user|group
fchownat|dfd|filename|user|group|flag
fcntl|fd|cmd|arg
fdatasync|fd
fgetxattr|fd|name|value|size
file_getattr|dfd|filename|ufattr|usize|at_flags
file_setattr|dfd|filename|ufattr|usize|at_flags
flistxattr|fd|list|size
flock|fd|cmd
fork
fremovexattr|fd|name
fsconfig|fd|cmd|_key|_value|aux
fsetxattr|fd|name|value|size|flags
fsmount|fs_fd|flags|attr_flags
fsopen|_fs_name|flags
fspick|dfd|path|flags
fstatfs|fd|buf
fsync|fd
ftruncate|fd|length
futex|uaddr|op|val|utime|uaddr2|val3
futex_requeue|waiters|flags|nr_wake|nr_requeue
futex_wait|uaddr|val|mask|flags|timeout|clockid
futex_waitv|waiters|nr_futexes|flags|timeout|clockid
futex_wake|uaddr|mask|nr|flags
futimesat|dfd|filename|utimes
get_mempolicy|policy|nmask|maxnode|addr|flags
get_robust_list|pid|head_ptr|len_ptr
getcpu|cpup|nodep|unused
getcwd|buf|size
getdents|fd|dirent|count
getdents64|fd|dirent|count
getegid
geteuid
getgid
getgroups|gidsetsize|grouplist
getitimer|which|value
getpeername|fd|usockaddr|usockaddr_len
getpgid|pid
getpgrp
getpid
getppid
getpriority|which|who
getrandom|ubuf|len|flags
getresgid|rgidp|egidp|sgidp
getresuid|ruidp|euidp|suidp
getrlimit|resource|rlim
getrusage|who|ru
getsid|pid
getsockname|fd|usockaddr|usockaddr_len
getsockopt|fd|level|optname|optval|optlen
gettid
gettimeofday|tv|tz
getuid
getxattr|pathname|name|value|size
getxattrat|dfd|pathname|at_flags|name|uargs|usize
inotify_add_watch|fd|pathname|mask
inotify_init
inotify_init1|flags
inotify_rm_watch|fd|wd
io_cancel|ctx_id|iocb|result
io_destroy|ctx
io_getevents|ctx_id|min_nr|nr|events|timeout
io_pgetevents|ctx_id|min_nr|nr|events|timeout|usig
io_setup|nr_events|ctxp
io_submit|ctx_id|nr|iocbpp
io_uring_enter|fd|to_submit|min_complete|flags|argp|argsz
io_uring_register|fd|opcode|arg|nr_args
io_uring_setup|entries|params
ioctl|fd|cmd|arg
ioperm|from|num|turn_on
iopl|level
ioprio_get|which|who
ioprio_set|which|who|ioprio
kcmp|pid1|pid2|type|idx1|idx2
keyctl|option|arg2|arg3|arg4|arg5
kill|pid|sig
landlock_add_rule|ruleset_fd|rule_type|rule_attr|flags
landlock_create_ruleset|attr|size|flags
landlock_restrict_self|ruleset_fd|flags
lchown|filename|user|group
lgetxattr|pathname|name|value|size
link|oldname|newname
linkat|olddfd|oldname|newdfd|newname|flags
listen|fd|backlog
listmount|req|mnt_ids|nr_mnt_ids|flags
listxattr|pathname|list|size
listxattrat|dfd|pathname|at_flags|list|size
llistxattr|pathname|list|size
lremovexattr|pathname|name
lseek|fd|offset|whence
lsetxattr|pathname|name|value|size|flags
lsm_get_self_attr|attr|ctx|size|flags
lsm_list_modules|ids|size|flags
lsm_set_self_attr|attr|ctx|size|flags
madvise|start|len_in|behavior
mbind|start|len|mode|nmask|maxnode|flags
membarrier|cmd|flags|cpu_id
memfd_create|uname|flags
memfd_secret|flags
migrate_pages|pid|maxnode|old_nodes|new_nodes
mincore|start|len|vec
mkdir|pathname|mode
mkdirat|dfd|pathname|mode
mknod|filename|mode|dev
mknodat|dfd|filename|mode|dev
mlock|start|len
mlock2|start|len|flags
mlockall|flags
mmap|addr|len|prot|flags|fd|off
modify_ldt|func|ptr|bytecount
mount|dev_name|dir_name|type|flags|data
mount_setattr|dfd|path|flags|uattr|usize
move_mount|from_dfd|from_pathname|to_dfd|to_pathname|flags
move_pages|pid|nr_pages|pages|nodes|status|flags
mprotect|start|len|prot
mq_getsetattr|mqdes|u_mqstat|u_omqstat
mq_notify|mqdes|u_notification
mq_open|u_name|oflag|mode|u_attr
mq_timedreceive|mqdes|u_msg_ptr|msg_len|u_msg_prio|u_abs_timeout
mq_timedsend|mqdes|u_msg_ptr|msg_len|msg_prio|u_abs_timeout
mq_unlink|u_name
mremap|addr|old_len|new_len|flags|new_addr
mseal|start|len|flags
msgctl|msqid|cmd|buf
msgget|key|msgflg
msgrcv|msqid|msgp|msgsz|msgtyp|msgflg
msgsnd|msqid|msgp|msgsz|msgflg
msync|start|len|flags
munlock|start|len
munlockall
munmap|addr|len
name_to_handle_at|dfd|name|handle|mnt_id|flag
nanosleep|rqtp|rmtp
newfstat|fd|statbuf
newfstatat|dfd|filename|statbuf|flag
newlstat|filename|statbuf
newstat|filename|statbuf
newuname|name
open|filename|flags|mode
open_by_handle_at|mountdirfd|handle|flags
open_tree|dfd|filename|flags
open_tree_attr|dfd|filename|flags|uattr|usize
openat|dfd|filename|flags|mode
openat2|dfd|filename|how|usize
pause
perf_event_open|attr_uptr|pid|cpu|group_fd|flags
personality|personality
pidfd_getfd|pidfd|fd|flags
pidfd_open|pid|flags
pidfd_send_signal|pidfd|sig|info|flags
pipe|fildes
pipe2|fildes|flags
pivot_root|new_root|put_old
pkey_alloc|flags|init_val
pkey_free|pkey
pkey_mprotect|start|len|prot|pkey
poll|ufds|nfds|timeout_msecs
ppoll|ufds|nfds|tsp|sigmask|sigsetsize
prctl|option|arg2|arg3|arg4|arg5
pread64|fd|buf|count|pos
preadv|fd|vec|vlen|pos_l|pos_h
preadv2|fd|vec|vlen|pos_l|pos_h|flags
prlimit64|pid|resource|new_rlim|old_rlim
process_madvise|pidfd|vec|vlen|behavior|flags
process_mrelease|pidfd|flags
process_vm_readv|pid|lvec|liovcnt|rvec|riovcnt|flags
process_vm_writev|pid|lvec|liovcnt|rvec|riovcnt|flags
pselect6|n|inp|outp|exp|tsp|sig
ptrace|request|pid|addr|data
pwrite64|fd|buf|count|pos
pwritev|fd|vec|vlen|pos_l|pos_h
pwritev2|fd|vec|vlen|pos_l|pos_h|flags
quotactl|cmd|special|id|addr
quotactl_fd|fd|cmd|id|addr
read|fd|buf|count
readahead|fd|offset|count
readlink|path|buf|bufsiz
readlinkat|dfd|pathname|buf|bufsiz
readv|fd|vec|vlen
reboot|magic1|magic2|cmd|arg
recvfrom|fd|ubuf|size|flags|addr|addr_len
recvmmsg|fd|mmsg|vlen|flags|timeout
recvmsg|fd|msg|flags
remap_file_pages|start|size|prot|pgoff|flags
removexattr|pathname|name
removexattrat|dfd|pathname|at_flags|name
rename|oldname|newname
renameat|olddfd|oldname|newdfd|newname
renameat2|olddfd|oldname|newdfd|newname|flags
request_key|_type|_description|_callout_info|destringid
restart_syscall
rmdir|pathname
rseq|rseq|rseq_len|flags|sig
rt_sigaction|sig|act|oact|sigsetsize
rt_sigpending|uset|sigsetsize
rt_sigprocmask|how|nset|oset|sigsetsize
rt_sigqueueinfo|pid|sig|uinfo
rt_sigreturn
rt_sigsuspend|unewset|sigsetsize
rt_sigtimedwait|uthese|uinfo|uts|sigsetsize
rt_tgsigqueueinfo|tgid|pid|sig|uinfo
sched_get_priority_max|policy
sched_get_priority_min|policy
sched_getaffinity|pid|len|user_mask_ptr
sched_getattr|pid|uattr|usize|flags
sched_getparam|pid|param
sched_getscheduler|pid
sched_rr_get_interval|pid|interval
sched_setaffinity|pid|len|user_mask_ptr
sched_setattr|pid|uattr|flags
sched_setparam|pid|param
sched_setscheduler|pid|policy|param
sched_yield
seccomp|op|flags|uargs
select|n|inp|outp|exp|tvp
semctl|semid|semnum|cmd|arg
semget|key|nsems|semflg
semop|semid|tsops|nsops
semtimedop|semid|tsops|nsops|timeout
sendfile64|out_fd|in_fd|offset|count
sendmmsg|fd|mmsg|vlen|flags
sendmsg|fd|msg|flags
sendto|fd|buff|len|flags|addr|addr_len
set_mempolicy|mode|nmask|maxnode
set_mempolicy_home_node|start|len|home_node|flags
set_robust_list|head|len
set_tid_address|tidptr
setdomainname|name|len
setfsgid|gid
setfsuid|uid
setgid|gid
setgroups|gidsetsize|grouplist
sethostname|name|len
setitimer|which|value|ovalue
setns|fd|flags
setpgid|pid|pgid
setpriority|which|who|niceval
setregid|rgid|egid
setresgid|rgid|egid|sgid
setresuid|ruid|euid|suid
setreuid|ruid|euid
setrlimit|resource|rlim
setsid
setsockopt|fd|level|optname|optval|optlen
settimeofday|tv|tz
setuid|uid
setxattr|pathname|name|value|size|flags
setxattrat|dfd|pathname|at_flags|name|uargs|usize
shmat|shmid|shmaddr|shmflg
shmctl|shmid|cmd|buf
shmdt|shmaddr
shmget|key|size|shmflg
shutdown|fd|how
sigaltstack|uss|uoss
signalfd|ufd|user_mask|sizemask
signalfd4|ufd|user_mask|sizemask|flags
socket|family|type|protocol
socketpair|family|type|protocol|usockvec
splice|fd_in|off_in|fd_out|off_out|len|flags
statfs|pathname|buf
statmount|req|buf|bufsize|flags
statx|dfd|filename|flags|mask|buffer
swapoff|specialfile
swapon|specialfile|swap_flags
symlink|oldname|newname
symlinkat|oldname|newdfd|newname
sync
sync_file_range|fd|offset|nbytes|flags
syncfs|fd
sysfs|option|arg1|arg2
sysinfo|info
syslog|type|buf|len
tee|fdin|fdout|len|flags
tgkill|tgid|pid|sig
time|tloc
timer_create|which_clock|timer_event_spec|created_timer_id
timer_delete|timer_id
timer_getoverrun|timer_id
timer_gettime|timer_id|setting
timer_settime|timer_id|flags|new_setting|old_setting
timerfd_create|clockid|flags
timerfd_gettime|ufd|otmr
timerfd_settime|ufd|flags|utmr|otmr
times|tbuf
tkill|pid|sig
truncate|path|length
umask|mask
umount|name|flags
unlink|pathname
unlinkat|dfd|pathname|flag
unshare|unshare_flags
uprobe
uretprobe
userfaultfd|flags
ustat|dev|ubuf
utime|filename|times
utimensat|dfd|filename|utimes|flags
utimes|filename|utimes
vfork
vhangup
vmsplice|fd|uiov|nr_segs|flags
wait4|upid|stat_addr|options|ru
waitid|which|upid|infop|options|ru
write|fd|buf|count
writev|fd|vec|vlen
"""

# Other events: name, then declaration@offset:size:signed of each field.
EVENTS = """\
block/blk_zone_append_update_request_bio|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/blk_zone_wplug_bio|dev_t dev@8:4:0|unsigned int zno@12:4:0|sector_t sector@16:8:0|unsigned int nr_sectors@24:4:0
block/blkdev_zone_mgmt|dev_t dev@8:4:0|sector_t sector@16:8:0|sector_t nr_sectors@24:8:0|char rwbs[10]@32:10:0
block/block_bio_backmerge|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|char rwbs[10]@28:10:0|char comm[16]@38:16:0
block/block_bio_complete|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned nr_sector@24:4:0|int error@28:4:1|char rwbs[10]@32:10:0
block/block_bio_frontmerge|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|char rwbs[10]@28:10:0|char comm[16]@38:16:0
block/block_bio_queue|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|char rwbs[10]@28:10:0|char comm[16]@38:16:0
block/block_bio_remap|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|dev_t old_dev@28:4:0|sector_t old_sector@32:8:0|char rwbs[10]@40:10:0
block/block_dirty_buffer|dev_t dev@8:4:0|sector_t sector@16:8:0|size_t size@24:8:0
block/block_getrq|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|char rwbs[10]@28:10:0|char comm[16]@38:16:0
block/block_io_done|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/block_io_start|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/block_plug|char comm[16]@8:16:0
block/block_rq_complete|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|int error@28:4:1|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|__data_loc char[] cmd@44:4:0
block/block_rq_error|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|int error@28:4:1|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|__data_loc char[] cmd@44:4:0
block/block_rq_insert|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/block_rq_issue|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/block_rq_merge|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned int bytes@28:4:0|unsigned short ioprio@32:2:0|char rwbs[10]@34:10:0|char comm[16]@44:16:0|__data_loc char[] cmd@60:4:0
block/block_rq_remap|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|dev_t old_dev@28:4:0|sector_t old_sector@32:8:0|unsigned int nr_bios@40:4:0|char rwbs[10]@44:10:0
block/block_rq_requeue|dev_t dev@8:4:0|sector_t sector@16:8:0|unsigned int nr_sector@24:4:0|unsigned short ioprio@28:2:0|char rwbs[10]@30:10:0|__data_loc char[] cmd@40:4:0
block/block_split|dev_t dev@8:4:0|sector_t sector@16:8:0|sector_t new_sector@24:8:0|char rwbs[10]@32:10:0|char comm[16]@42:16:0
block/block_touch_buffer|dev_t dev@8:4:0|sector_t sector@16:8:0|size_t size@24:8:0
block/block_unplug|int nr_rq@8:4:1|char comm[16]@12:16:0
block/disk_zone_wplug_add_bio|dev_t dev@8:4:0|unsigned int zno@12:4:0|sector_t sector@16:8:0|unsigned int nr_sectors@24:4:0
exceptions/page_fault_kernel|unsigned long address@8:8:0|unsigned long ip@16:8:0|unsigned long error_code@24:8:0
exceptions/page_fault_user|unsigned long address@8:8:0|unsigned long ip@16:8:0|unsigned long error_code@24:8:0
irq/irq_handler_entry|int irq@8:4:1|__data_loc char[] name@12:4:0
irq/irq_handler_exit|int irq@8:4:1|int ret@12:4:1
irq/softirq_entry|unsigned int vec@8:4:0
irq/softirq_exit|unsigned int vec@8:4:0
irq/softirq_raise|unsigned int vec@8:4:0
irq/tasklet_entry|void * tasklet@8:8:0|void * func@16:8:0
irq/tasklet_exit|void * tasklet@8:8:0|void * func@16:8:0
napi/dql_stall_detected|unsigned short thrs@8:2:0|unsigned int len@12:4:0|unsigned long last_reap@16:8:0|unsigned long hist_head@24:8:0|unsigned long now@32:8:0|unsigned long hist[4]@40:32:0
napi/napi_poll|struct napi_struct * napi@8:8:0|__data_loc char[] dev_name@16:4:0|int work@20:4:1|int budget@24:4:1
net/napi_gro_frags_entry|__data_loc char[] name@8:4:0|unsigned int napi_id@12:4:0|u16 queue_mapping@16:2:0|const void * skbaddr@24:8:0|bool vlan_tagged@32:1:0|u16 vlan_proto@34:2:0|u16 vlan_tci@36:2:0|u16 protocol@38:2:0|u8 ip_summed@40:1:0|u32 hash@44:4:0|bool l4_hash@48:1:0|unsigned int len@52:4:0|unsigned int data_len@56:4:0|unsigned int truesize@60:4:0|bool mac_header_valid@64:1:0|int mac_header@68:4:1|unsigned char nr_frags@72:1:0|u16 gso_size@74:2:0|u16 gso_type@76:2:0
net/napi_gro_frags_exit|int ret@8:4:1
net/napi_gro_receive_entry|__data_loc char[] name@8:4:0|unsigned int napi_id@12:4:0|u16 queue_mapping@16:2:0|const void * skbaddr@24:8:0|bool vlan_tagged@32:1:0|u16 vlan_proto@34:2:0|u16 vlan_tci@36:2:0|u16 protocol@38:2:0|u8 ip_summed@40:1:0|u32 hash@44:4:0|bool l4_hash@48:1:0|unsigned int len@52:4:0|unsigned int data_len@56:4:0|unsigned int truesize@60:4:0|bool mac_header_valid@64:1:0|int mac_header@68:4:1|unsigned char nr_frags@72:1:0|u16 gso_size@74:2:0|u16 gso_type@76:2:0
net/napi_gro_receive_exit|int ret@8:4:1
net/net_dev_queue|void * skbaddr@8:8:0|unsigned int len@16:4:0|__data_loc char[] name@20:4:0
net/net_dev_start_xmit|__data_loc char[] name@8:4:0|u16 queue_mapping@12:2:0|const void * skbaddr@16:8:0|bool vlan_tagged@24:1:0|u16 vlan_proto@26:2:0|u16 vlan_tci@28:2:0|u16 protocol@30:2:0|u8 ip_summed@32:1:0|unsigned int len@36:4:0|unsigned int data_len@40:4:0|int network_offset@44:4:1|bool transport_offset_valid@48:1:0|int transport_offset@52:4:1|u8 tx_flags@56:1:0|u16 gso_size@58:2:0|u16 gso_segs@60:2:0|u16 gso_type@62:2:0
net/net_dev_xmit|void * skbaddr@8:8:0|unsigned int len@16:4:0|int rc@20:4:1|__data_loc char[] name@24:4:0
net/net_dev_xmit_timeout|__data_loc char[] name@8:4:0|__data_loc char[] driver@12:4:0|int queue_index@16:4:1
net/netif_receive_skb|void * skbaddr@8:8:0|unsigned int len@16:4:0|__data_loc char[] name@20:4:0
net/netif_receive_skb_entry|__data_loc char[] name@8:4:0|unsigned int napi_id@12:4:0|u16 queue_mapping@16:2:0|const void * skbaddr@24:8:0|bool vlan_tagged@32:1:0|u16 vlan_proto@34:2:0|u16 vlan_tci@36:2:0|u16 protocol@38:2:0|u8 ip_summed@40:1:0|u32 hash@44:4:0|bool l4_hash@48:1:0|unsigned int len@52:4:0|unsigned int data_len@56:4:0|unsigned int truesize@60:4:0|bool mac_header_valid@64:1:0|int mac_header@68:4:1|unsigned char nr_frags@72:1:0|u16 gso_size@74:2:0|u16 gso_type@76:2:0
net/netif_receive_skb_exit|int ret@8:4:1
net/netif_receive_skb_list_entry|__data_loc char[] name@8:4:0|unsigned int napi_id@12:4:0|u16 queue_mapping@16:2:0|const void * skbaddr@24:8:0|bool vlan_tagged@32:1:0|u16 vlan_proto@34:2:0|u16 vlan_tci@36:2:0|u16 protocol@38:2:0|u8 ip_summed@40:1:0|u32 hash@44:4:0|bool l4_hash@48:1:0|unsigned int len@52:4:0|unsigned int data_len@56:4:0|unsigned int truesize@60:4:0|bool mac_header_valid@64:1:0|int mac_header@68:4:1|unsigned char nr_frags@72:1:0|u16 gso_size@74:2:0|u16 gso_type@76:2:0
net/netif_receive_skb_list_exit|int ret@8:4:1
net/netif_rx|void * skbaddr@8:8:0|unsigned int len@16:4:0|__data_loc char[] name@20:4:0
net/netif_rx_entry|__data_loc char[] name@8:4:0|unsigned int napi_id@12:4:0|u16 queue_mapping@16:2:0|const void * skbaddr@24:8:0|bool vlan_tagged@32:1:0|u16 vlan_proto@34:2:0|u16 vlan_tci@36:2:0|u16 protocol@38:2:0|u8 ip_summed@40:1:0|u32 hash@44:4:0|bool l4_hash@48:1:0|unsigned int len@52:4:0|unsigned int data_len@56:4:0|unsigned int truesize@60:4:0|bool mac_header_valid@64:1:0|int mac_header@68:4:1|unsigned char nr_frags@72:1:0|u16 gso_size@74:2:0|u16 gso_type@76:2:0
net/netif_rx_exit|int ret@8:4:1
oom/compact_retry|int order@8:4:1|int priority@12:4:1|int result@16:4:1|int retries@20:4:1|int max_retries@24:4:1|bool ret@28:1:0
oom/finish_task_reaping|int pid@8:4:1
oom/mark_victim|int pid@8:4:1|__data_loc char[] comm@12:4:0|unsigned long total_vm@16:8:0|unsigned long anon_rss@24:8:0|unsigned long file_rss@32:8:0|unsigned long shmem_rss@40:8:0|uid_t uid@48:4:0|unsigned long pgtables@56:8:0|short oom_score_adj@64:2:1
oom/oom_score_adj_update|pid_t pid@8:4:1|char comm[16]@12:16:0|short oom_score_adj@28:2:1
oom/reclaim_retry_zone|int node@8:4:1|int zone_idx@12:4:1|int order@16:4:1|unsigned long reclaimable@24:8:0|unsigned long available@32:8:0|unsigned long min_wmark@40:8:0|int no_progress_loops@48:4:1|bool wmark_check@52:1:0
oom/skip_task_reaping|int pid@8:4:1
oom/start_task_reaping|int pid@8:4:1
oom/wake_reaper|int pid@8:4:1
power/cpu_frequency|u32 state@8:4:0|u32 cpu_id@12:4:0
power/cpu_frequency_limits|u32 min_freq@8:4:0|u32 max_freq@12:4:0|u32 cpu_id@16:4:0
power/cpu_idle|u32 state@8:4:0|u32 cpu_id@12:4:0
power/cpu_idle_miss|u32 cpu_id@8:4:0|u32 state@12:4:0|bool below@16:1:0
power/dev_pm_qos_add_request|__data_loc char[] name@8:4:0|enum dev_pm_qos_req_type type@12:4:0|s32 new_value@16:4:1
power/dev_pm_qos_remove_request|__data_loc char[] name@8:4:0|enum dev_pm_qos_req_type type@12:4:0|s32 new_value@16:4:1
power/dev_pm_qos_update_request|__data_loc char[] name@8:4:0|enum dev_pm_qos_req_type type@12:4:0|s32 new_value@16:4:1
power/guest_halt_poll_ns|bool grow@8:1:0|unsigned int new@12:4:0|unsigned int old@16:4:0
power/pm_qos_add_request|s32 value@8:4:1
power/pm_qos_remove_request|s32 value@8:4:1
power/pm_qos_update_flags|enum pm_qos_req_action action@8:4:0|int prev_value@12:4:1|int curr_value@16:4:1
power/pm_qos_update_request|s32 value@8:4:1
power/pm_qos_update_target|enum pm_qos_req_action action@8:4:0|int prev_value@12:4:1|int curr_value@16:4:1
power/pstate_sample|u32 core_busy@8:4:0|u32 scaled_busy@12:4:0|u32 from@16:4:0|u32 to@20:4:0|u64 mperf@24:8:0|u64 aperf@32:8:0|u64 tsc@40:8:0|u32 freq@48:4:0|u32 io_boost@52:4:0
power/suspend_resume|const char * action@8:8:0|int val@16:4:1|bool start@20:1:0
power/wakeup_source_activate|__data_loc char[] name@8:4:0|u64 state@16:8:0
power/wakeup_source_deactivate|__data_loc char[] name@8:4:0|u64 state@16:8:0
qdisc/qdisc_create|__data_loc char[] dev@8:4:0|__data_loc char[] kind@12:4:0|u32 parent@16:4:0
qdisc/qdisc_dequeue|struct Qdisc * qdisc@8:8:0|const struct netdev_queue * txq@16:8:0|int packets@24:4:1|void * skbaddr@32:8:0|int ifindex@40:4:1|u32 handle@44:4:0|u32 parent@48:4:0|unsigned long txq_state@56:8:0
qdisc/qdisc_destroy|__data_loc char[] dev@8:4:0|__data_loc char[] kind@12:4:0|u32 parent@16:4:0|u32 handle@20:4:0
qdisc/qdisc_enqueue|struct Qdisc * qdisc@8:8:0|const struct netdev_queue * txq@16:8:0|void * skbaddr@24:8:0|int ifindex@32:4:1|u32 handle@36:4:0|u32 parent@40:4:0
qdisc/qdisc_reset|__data_loc char[] dev@8:4:0|__data_loc char[] kind@12:4:0|u32 parent@16:4:0|u32 handle@20:4:0
raw_syscalls/sys_enter|long id@8:8:1|unsigned long args[6]@16:48:0
raw_syscalls/sys_exit|long id@8:8:1|long ret@16:8:1
sched/sched_kthread_stop|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1
sched/sched_kthread_stop_ret|int ret@8:4:1
sched/sched_kthread_work_execute_end|void * work@8:8:0|void * function@16:8:0
sched/sched_kthread_work_execute_start|void * work@8:8:0|void * function@16:8:0
sched/sched_kthread_work_queue_work|void * work@8:8:0|void * function@16:8:0|void * worker@24:8:0
sched/sched_migrate_task|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|int prio@16:4:1|int orig_cpu@20:4:1|int dest_cpu@24:4:1
sched/sched_move_numa|pid_t pid@8:4:1|pid_t tgid@12:4:1|pid_t ngid@16:4:1|int src_cpu@20:4:1|int src_nid@24:4:1|int dst_cpu@28:4:1|int dst_nid@32:4:1
sched/sched_pi_setprio|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|int oldprio@16:4:1|int newprio@20:4:1
sched/sched_prepare_exec|__data_loc char[] interp@8:4:0|__data_loc char[] filename@12:4:0|pid_t pid@16:4:1|__data_loc char[] comm@20:4:0
sched/sched_process_exec|__data_loc char[] filename@8:4:0|pid_t pid@12:4:1|pid_t old_pid@16:4:1
sched/sched_process_exit|char comm[16]@8:16:0|pid_t pid@24:4:1|int prio@28:4:1|bool group_dead@32:1:0
sched/sched_process_fork|__data_loc char[] parent_comm@8:4:0|pid_t parent_pid@12:4:1|__data_loc char[] child_comm@16:4:0|pid_t child_pid@20:4:1
sched/sched_process_free|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|int prio@16:4:1
sched/sched_process_hang|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1
sched/sched_process_wait|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|int prio@16:4:1
sched/sched_skip_cpuset_numa|char comm[16]@8:16:0|pid_t pid@24:4:1|pid_t tgid@28:4:1|pid_t ngid@32:4:1|unsigned long mem_allowed[16]@40:128:0
sched/sched_skip_vma_numa|unsigned long numa_scan_offset@8:8:0|unsigned long vm_start@16:8:0|unsigned long vm_end@24:8:0|enum numa_vmaskip_reason reason@32:4:0
sched/sched_stat_runtime|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|u64 runtime@16:8:0
sched/sched_stick_numa|pid_t src_pid@8:4:1|pid_t src_tgid@12:4:1|pid_t src_ngid@16:4:1|int src_cpu@20:4:1|int src_nid@24:4:1|pid_t dst_pid@28:4:1|pid_t dst_tgid@32:4:1|pid_t dst_ngid@36:4:1|int dst_cpu@40:4:1|int dst_nid@44:4:1
sched/sched_swap_numa|pid_t src_pid@8:4:1|pid_t src_tgid@12:4:1|pid_t src_ngid@16:4:1|int src_cpu@20:4:1|int src_nid@24:4:1|pid_t dst_pid@28:4:1|pid_t dst_tgid@32:4:1|pid_t dst_ngid@36:4:1|int dst_cpu@40:4:1|int dst_nid@44:4:1
sched/sched_switch|char prev_comm[16]@8:16:0|pid_t prev_pid@24:4:1|int prev_prio@28:4:1|long prev_state@32:8:1|char next_comm[16]@40:16:0|pid_t next_pid@56:4:1|int next_prio@60:4:1
sched/sched_wait_task|__data_loc char[] comm@8:4:0|pid_t pid@12:4:1|int prio@16:4:1
sched/sched_wake_idle_without_ipi|int cpu@8:4:1
sched/sched_wakeup|char comm[16]@8:16:0|pid_t pid@24:4:1|int prio@28:4:1|int target_cpu@32:4:1
sched/sched_wakeup_new|char comm[16]@8:16:0|pid_t pid@24:4:1|int prio@28:4:1|int target_cpu@32:4:1
sched/sched_waking|char comm[16]@8:16:0|pid_t pid@24:4:1|int prio@28:4:1|int target_cpu@32:4:1
signal/signal_deliver|int sig@8:4:1|int errno@12:4:1|int code@16:4:1|unsigned long sa_handler@24:8:0|unsigned long sa_flags@32:8:0
signal/signal_generate|int sig@8:4:1|int errno@12:4:1|int code@16:4:1|char comm[16]@20:16:0|pid_t pid@36:4:1|int group@40:4:1|int result@44:4:1
skb/consume_skb|void * skbaddr@8:8:0|void * location@16:8:0
skb/kfree_skb|void * skbaddr@8:8:0|void * location@16:8:0|void * rx_sk@24:8:0|unsigned short protocol@32:2:0|enum skb_drop_reason reason@36:4:0
skb/skb_copy_datagram_iovec|const void * skbaddr@8:8:0|int len@16:4:1
sock/inet_sk_error_report|int error@8:4:1|__u16 sport@12:2:0|__u16 dport@14:2:0|__u16 family@16:2:0|__u16 protocol@18:2:0|__u8 saddr[4]@20:4:0|__u8 daddr[4]@24:4:0|__u8 saddr_v6[16]@28:16:0|__u8 daddr_v6[16]@44:16:0
sock/inet_sock_set_state|const void * skaddr@8:8:0|int oldstate@16:4:1|int newstate@20:4:1|__u16 sport@24:2:0|__u16 dport@26:2:0|__u16 family@28:2:0|__u16 protocol@30:2:0|__u8 saddr[4]@32:4:0|__u8 daddr[4]@36:4:0|__u8 saddr_v6[16]@40:16:0|__u8 daddr_v6[16]@56:16:0
sock/sk_data_ready|const void * skaddr@8:8:0|__u16 family@16:2:0|__u16 protocol@18:2:0|unsigned long ip@24:8:0
sock/sock_exceed_buf_limit|char name[32]@8:32:0|long sysctl_mem[3]@40:24:1|long allocated@64:8:1|int sysctl_rmem@72:4:1|int rmem_alloc@76:4:1|int sysctl_wmem@80:4:1|int wmem_alloc@84:4:1|int wmem_queued@88:4:1|int kind@92:4:1
sock/sock_rcvqueue_full|int rmem_alloc@8:4:1|unsigned int truesize@12:4:0|int sk_rcvbuf@16:4:1
sock/sock_recv_length|void * sk@8:8:0|__u16 family@16:2:0|__u16 protocol@18:2:0|int ret@20:4:1|int flags@24:4:1
sock/sock_send_length|void * sk@8:8:0|__u16 family@16:2:0|__u16 protocol@18:2:0|int ret@20:4:1|int flags@24:4:1
task/task_newtask|pid_t pid@8:4:1|char comm[16]@12:16:0|u64 clone_flags@32:8:0|short oom_score_adj@40:2:1
task/task_prctl_unknown|int option@8:4:1|unsigned long arg2@16:8:0|unsigned long arg3@24:8:0|unsigned long arg4@32:8:0|unsigned long arg5@40:8:0
task/task_rename|pid_t pid@8:4:1|char oldcomm[16]@12:16:0|char newcomm[16]@28:16:0|short oom_score_adj@44:2:1
tcp/tcp_ao_handshake_failure|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0|__u8 keyid@107:1:0|__u8 rnext@108:1:0|__u8 maclen@109:1:0
tcp/tcp_bad_csum|const void * skbaddr@8:8:0|__u8 saddr[28]@16:28:0|__u8 daddr[28]@44:28:0
tcp/tcp_cong_state_set|const void * skaddr@8:8:0|__u16 sport@16:2:0|__u16 dport@18:2:0|__u16 family@20:2:0|__u8 saddr[4]@22:4:0|__u8 daddr[4]@26:4:0|__u8 saddr_v6[16]@30:16:0|__u8 daddr_v6[16]@46:16:0|__u8 cong_state@62:1:0
tcp/tcp_destroy_sock|const void * skaddr@8:8:0|__u16 sport@16:2:0|__u16 dport@18:2:0|__u16 family@20:2:0|__u8 saddr[4]@22:4:0|__u8 daddr[4]@26:4:0|__u8 saddr_v6[16]@30:16:0|__u8 daddr_v6[16]@46:16:0|__u64 sock_cookie@64:8:0
tcp/tcp_hash_ao_required|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0
tcp/tcp_hash_bad_header|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0
tcp/tcp_hash_md5_mismatch|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0
tcp/tcp_hash_md5_required|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0
tcp/tcp_hash_md5_unexpected|__u64 net_cookie@8:8:0|const void * skbaddr@16:8:0|const void * skaddr@24:8:0|int state@32:4:1|__u8 saddr[28]@36:28:0|__u8 daddr[28]@64:28:0|int l3index@92:4:1|__u16 sport@96:2:0|__u16 dport@98:2:0|__u16 family@100:2:0|bool fin@102:1:0|bool syn@103:1:0|bool rst@104:1:0|bool psh@105:1:0|bool ack@106:1:0
tcp/tcp_probe|__u8 saddr[28]@8:28:0|__u8 daddr[28]@36:28:0|__u16 sport@64:2:0|__u16 dport@66:2:0|__u16 family@68:2:0|__u32 mark@72:4:0|__u16 data_len@76:2:0|__u32 snd_nxt@80:4:0|__u32 snd_una@84:4:0|__u32 snd_cwnd@88:4:0|__u32 ssthresh@92:4:0|__u32 snd_wnd@96:4:0|__u32 srtt@100:4:0|__u32 rcv_wnd@104:4:0|__u64 sock_cookie@112:8:0|const void * skbaddr@120:8:0|const void * skaddr@128:8:0
tcp/tcp_rcv_space_adjust|const void * skaddr@8:8:0|__u16 sport@16:2:0|__u16 dport@18:2:0|__u16 family@20:2:0|__u8 saddr[4]@22:4:0|__u8 daddr[4]@26:4:0|__u8 saddr_v6[16]@30:16:0|__u8 daddr_v6[16]@46:16:0|__u64 sock_cookie@64:8:0
tcp/tcp_rcvbuf_grow|int time@8:4:1|__u32 rtt_us@12:4:0|__u32 copied@16:4:0|__u32 inq@20:4:0|__u32 space@24:4:0|__u32 ooo_space@28:4:0|__u32 rcvbuf@32:4:0|__u32 rcv_ssthresh@36:4:0|__u32 window_clamp@40:4:0|__u32 rcv_wnd@44:4:0|__u8 scaling_ratio@48:1:0|__u16 sport@50:2:0|__u16 dport@52:2:0|__u16 family@54:2:0|__u8 saddr[4]@56:4:0|__u8 daddr[4]@60:4:0|__u8 saddr_v6[16]@64:16:0|__u8 daddr_v6[16]@80:16:0|const void * skaddr@96:8:0|__u64 sock_cookie@104:8:0
tcp/tcp_receive_reset|const void * skaddr@8:8:0|__u16 sport@16:2:0|__u16 dport@18:2:0|__u16 family@20:2:0|__u8 saddr[4]@22:4:0|__u8 daddr[4]@26:4:0|__u8 saddr_v6[16]@30:16:0|__u8 daddr_v6[16]@46:16:0|__u64 sock_cookie@64:8:0
tcp/tcp_retransmit_skb|const void * skbaddr@8:8:0|const void * skaddr@16:8:0|int state@24:4:1|__u16 sport@28:2:0|__u16 dport@30:2:0|__u16 family@32:2:0|__u8 saddr[4]@34:4:0|__u8 daddr[4]@38:4:0|__u8 saddr_v6[16]@42:16:0|__u8 daddr_v6[16]@58:16:0|int err@76:4:1
tcp/tcp_retransmit_synack|const void * skaddr@8:8:0|const void * req@16:8:0|__u16 sport@24:2:0|__u16 dport@26:2:0|__u16 family@28:2:0|__u8 saddr[4]@30:4:0|__u8 daddr[4]@34:4:0|__u8 saddr_v6[16]@38:16:0|__u8 daddr_v6[16]@54:16:0
tcp/tcp_send_reset|const void * skbaddr@8:8:0|const void * skaddr@16:8:0|int state@24:4:1|enum sk_rst_reason reason@28:4:0|__u8 saddr[28]@32:28:0|__u8 daddr[28]@60:28:0
tcp/tcp_sendmsg_locked|const void * skb_addr@8:8:0|int skb_len@16:4:1|int msg_left@20:4:1|int size_goal@24:4:1
timer/hrtimer_cancel|void * hrtimer@8:8:0
timer/hrtimer_expire_entry|void * hrtimer@8:8:0|s64 now@16:8:1|void * function@24:8:0
timer/hrtimer_expire_exit|void * hrtimer@8:8:0
timer/hrtimer_setup|void * hrtimer@8:8:0|clockid_t clockid@16:4:1|enum hrtimer_mode mode@20:4:0
timer/hrtimer_start|void * hrtimer@8:8:0|void * function@16:8:0|s64 expires@24:8:1|s64 softexpires@32:8:1|enum hrtimer_mode mode@40:4:0|bool was_armed@44:1:0
timer/itimer_expire|int which@8:4:1|pid_t pid@12:4:1|unsigned long long now@16:8:0
timer/itimer_state|int which@8:4:1|unsigned long long expires@16:8:0|long value_sec@24:8:1|long value_nsec@32:8:1|long interval_sec@40:8:1|long interval_nsec@48:8:1
timer/tick_stop|int success@8:4:1|int dependency@12:4:1
timer/timer_base_idle|bool is_idle@8:1:0|unsigned int cpu@12:4:0
timer/timer_cancel|void * timer@8:8:0
timer/timer_expire_entry|void * timer@8:8:0|unsigned long now@16:8:0|void * function@24:8:0|unsigned long baseclk@32:8:0
timer/timer_expire_exit|void * timer@8:8:0
timer/timer_init|void * timer@8:8:0
timer/timer_start|void * timer@8:8:0|void * function@16:8:0|unsigned long expires@24:8:0|unsigned long bucket_expiry@32:8:0|unsigned long now@40:8:0|unsigned int flags@48:4:0
udp/udp_fail_queue_rcv_skb|int rc@8:4:1|__u16 sport@12:2:0|__u16 dport@14:2:0|__u16 family@16:2:0|__u8 saddr[28]@18:28:0|__u8 daddr[28]@46:28:0
vmscan/mm_shrink_slab_end|struct shrinker * shr@8:8:0|int nid@16:4:1|void * shrink@24:8:0|long unused_scan@32:8:1|long new_scan@40:8:1|int retval@48:4:1|long total_scan@56:8:1
vmscan/mm_shrink_slab_start|struct shrinker * shr@8:8:0|void * shrink@16:8:0|int nid@24:4:1|long nr_objects_to_shrink@32:8:1|unsigned long gfp_flags@40:8:0|unsigned long cache_items@48:8:0|unsigned long long delta@56:8:0|unsigned long total_scan@64:8:0|int priority@72:4:1
vmscan/mm_vmscan_direct_reclaim_begin|int order@8:4:1|unsigned long gfp_flags@16:8:0
vmscan/mm_vmscan_direct_reclaim_end|unsigned long nr_reclaimed@8:8:0
vmscan/mm_vmscan_kswapd_sleep|int nid@8:4:1
vmscan/mm_vmscan_kswapd_wake|int nid@8:4:1|int zid@12:4:1|int order@16:4:1
vmscan/mm_vmscan_lru_isolate|int highest_zoneidx@8:4:1|int order@12:4:1|unsigned long nr_requested@16:8:0|unsigned long nr_scanned@24:8:0|unsigned long nr_skipped@32:8:0|unsigned long nr_taken@40:8:0|int lru@48:4:1
vmscan/mm_vmscan_lru_shrink_active|int nid@8:4:1|unsigned long nr_taken@16:8:0|unsigned long nr_active@24:8:0|unsigned long nr_deactivated@32:8:0|unsigned long nr_referenced@40:8:0|int priority@48:4:1|int reclaim_flags@52:4:1
vmscan/mm_vmscan_lru_shrink_inactive|int nid@8:4:1|unsigned long nr_scanned@16:8:0|unsigned long nr_reclaimed@24:8:0|unsigned long nr_dirty@32:8:0|unsigned long nr_writeback@40:8:0|unsigned long nr_congested@48:8:0|unsigned long nr_immediate@56:8:0|unsigned int nr_activate0@64:4:0|unsigned int nr_activate1@68:4:0|unsigned long nr_ref_keep@72:8:0|unsigned long nr_unmap_fail@80:8:0|int priority@88:4:1|int reclaim_flags@92:4:1
vmscan/mm_vmscan_memcg_reclaim_begin|int order@8:4:1|unsigned long gfp_flags@16:8:0
vmscan/mm_vmscan_memcg_reclaim_end|unsigned long nr_reclaimed@8:8:0
vmscan/mm_vmscan_memcg_softlimit_reclaim_begin|int order@8:4:1|unsigned long gfp_flags@16:8:0
vmscan/mm_vmscan_memcg_softlimit_reclaim_end|unsigned long nr_reclaimed@8:8:0
vmscan/mm_vmscan_node_reclaim_begin|int nid@8:4:1|int order@12:4:1|unsigned long gfp_flags@16:8:0
vmscan/mm_vmscan_node_reclaim_end|unsigned long nr_reclaimed@8:8:0
vmscan/mm_vmscan_reclaim_pages|int nid@8:4:1|unsigned long nr_scanned@16:8:0|unsigned long nr_reclaimed@24:8:0|unsigned long nr_dirty@32:8:0|unsigned long nr_writeback@40:8:0|unsigned long nr_congested@48:8:0|unsigned long nr_immediate@56:8:0|unsigned int nr_activate0@64:4:0|unsigned int nr_activate1@68:4:0|unsigned long nr_ref_keep@72:8:0|unsigned long nr_unmap_fail@80:8:0
vmscan/mm_vmscan_throttled|int nid@8:4:1|int usec_timeout@12:4:1|int usec_delayed@16:4:1|int reason@20:4:1
vmscan/mm_vmscan_wakeup_kswapd|int nid@8:4:1|int zid@12:4:1|int order@16:4:1|unsigned long gfp_flags@24:8:0
vmscan/mm_vmscan_write_folio|unsigned long pfn@8:8:0|int reclaim_flags@16:4:1
workqueue/workqueue_activate_work|void * work@8:8:0|void * function@16:8:0
workqueue/workqueue_execute_end|void * work@8:8:0|void * function@16:8:0
workqueue/workqueue_execute_start|void * work@8:8:0|void * function@16:8:0
workqueue/workqueue_queue_work|void * work@8:8:0|void * function@16:8:0|__data_loc char[] workqueue@24:4:0|int req_cpu@28:4:1|int cpu@32:4:1
writeback/balance_dirty_pages|char bdi[32]@8:32:0|unsigned long limit@40:8:0|unsigned long setpoint@48:8:0|unsigned long dirty@56:8:0|unsigned long wb_setpoint@64:8:0|unsigned long wb_dirty@72:8:0|unsigned long dirty_ratelimit@80:8:0|unsigned long task_ratelimit@88:8:0|unsigned int dirtied@96:4:0|unsigned int dirtied_pause@100:4:0|unsigned long paused@104:8:0|long pause@112:8:1|unsigned long period@120:8:0|long think@128:8:1|ino_t cgroup_ino@136:8:0
writeback/bdi_dirty_ratelimit|char bdi[32]@8:32:0|unsigned long write_bw@40:8:0|unsigned long avg_write_bw@48:8:0|unsigned long dirty_rate@56:8:0|unsigned long dirty_ratelimit@64:8:0|unsigned long task_ratelimit@72:8:0|unsigned long balanced_dirty_ratelimit@80:8:0|ino_t cgroup_ino@88:8:0
writeback/flush_foreign|char name[32]@8:32:0|ino_t cgroup_ino@40:8:0|unsigned int frn_bdi_id@48:4:0|unsigned int frn_memcg_id@52:4:0
writeback/folio_wait_writeback|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long index@48:8:0
writeback/global_dirty_state|unsigned long nr_dirty@8:8:0|unsigned long nr_writeback@16:8:0|unsigned long background_thresh@24:8:0|unsigned long dirty_thresh@32:8:0|unsigned long dirty_limit@40:8:0|unsigned long nr_dirtied@48:8:0|unsigned long nr_written@56:8:0
writeback/inode_foreign_history|char name[32]@8:32:0|ino_t ino@40:8:0|ino_t cgroup_ino@48:8:0|unsigned int history@56:4:0
writeback/inode_switch_wbs|char name[32]@8:32:0|ino_t ino@40:8:0|ino_t old_cgroup_ino@48:8:0|ino_t new_cgroup_ino@56:8:0
writeback/inode_switch_wbs_queue|char name[32]@8:32:0|ino_t old_cgroup_ino@40:8:0|ino_t new_cgroup_ino@48:8:0|unsigned int count@56:4:0
writeback/sb_clear_inode_writeback|dev_t dev@8:4:0|ino_t ino@16:8:0|unsigned long state@24:8:0|__u16 mode@32:2:0|unsigned long dirtied_when@40:8:0
writeback/sb_mark_inode_writeback|dev_t dev@8:4:0|ino_t ino@16:8:0|unsigned long state@24:8:0|__u16 mode@32:2:0|unsigned long dirtied_when@40:8:0
writeback/track_foreign_dirty|char name[32]@8:32:0|u64 bdi_id@40:8:0|ino_t ino@48:8:0|unsigned int memcg_id@56:4:0|ino_t cgroup_ino@64:8:0|ino_t page_cgroup_ino@72:8:0
writeback/wbc_writepage|char name[32]@8:32:0|long nr_to_write@40:8:1|long pages_skipped@48:8:1|int sync_mode@56:4:1|int for_kupdate@60:4:1|int for_background@64:4:1|int range_cyclic@68:4:1|long range_start@72:8:1|long range_end@80:8:1|ino_t cgroup_ino@88:8:0
writeback/writeback_bdi_register|char name[32]@8:32:0
writeback/writeback_dirty_folio|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long index@48:8:0
writeback/writeback_dirty_inode|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long flags@56:8:0
writeback/writeback_dirty_inode_enqueue|dev_t dev@8:4:0|ino_t ino@16:8:0|unsigned long state@24:8:0|__u16 mode@32:2:0|unsigned long dirtied_when@40:8:0
writeback/writeback_dirty_inode_start|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long flags@56:8:0
writeback/writeback_exec|char name[32]@8:32:0|long nr_pages@40:8:1|dev_t sb_dev@48:4:0|int sync_mode@52:4:1|int for_kupdate@56:4:1|int range_cyclic@60:4:1|int for_background@64:4:1|int reason@68:4:1|ino_t cgroup_ino@72:8:0
writeback/writeback_lazytime|dev_t dev@8:4:0|ino_t ino@16:8:0|unsigned long state@24:8:0|__u16 mode@32:2:0|unsigned long dirtied_when@40:8:0
writeback/writeback_lazytime_iput|dev_t dev@8:4:0|ino_t ino@16:8:0|unsigned long state@24:8:0|__u16 mode@32:2:0|unsigned long dirtied_when@40:8:0
writeback/writeback_mark_inode_dirty|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long flags@56:8:0
writeback/writeback_pages_written|long pages@8:8:1
writeback/writeback_queue|char name[32]@8:32:0|long nr_pages@40:8:1|dev_t sb_dev@48:4:0|int sync_mode@52:4:1|int for_kupdate@56:4:1|int range_cyclic@60:4:1|int for_background@64:4:1|int reason@68:4:1|ino_t cgroup_ino@72:8:0
writeback/writeback_queue_io|char name[32]@8:32:0|unsigned long older@40:8:0|long age@48:8:1|int moved@56:4:1|int reason@60:4:1|ino_t cgroup_ino@64:8:0
writeback/writeback_sb_inodes_requeue|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long dirtied_when@56:8:0|ino_t cgroup_ino@64:8:0
writeback/writeback_single_inode|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long dirtied_when@56:8:0|unsigned long writeback_index@64:8:0|long nr_to_write@72:8:1|unsigned long wrote@80:8:0|ino_t cgroup_ino@88:8:0
writeback/writeback_single_inode_start|char name[32]@8:32:0|ino_t ino@40:8:0|unsigned long state@48:8:0|unsigned long dirtied_when@56:8:0|unsigned long writeback_index@64:8:0|long nr_to_write@72:8:1|unsigned long wrote@80:8:0|ino_t cgroup_ino@88:8:0
writeback/writeback_start|char name[32]@8:32:0|long nr_pages@40:8:1|dev_t sb_dev@48:4:0|int sync_mode@52:4:1|int for_kupdate@56:4:1|int range_cyclic@60:4:1|int for_background@64:4:1|int reason@68:4:1|ino_t cgroup_ino@72:8:0
writeback/writeback_wait|char name[32]@8:32:0|long nr_pages@40:8:1|dev_t sb_dev@48:4:0|int sync_mode@52:4:1|int for_kupdate@56:4:1|int range_cyclic@60:4:1|int for_background@64:4:1|int reason@68:4:1|ino_t cgroup_ino@72:8:0
writeback/writeback_wake_background|char name[32]@8:32:0|ino_t cgroup_ino@40:8:0
writeback/writeback_write_inode|char name[32]@8:32:0|ino_t ino@40:8:0|int sync_mode@48:4:1|ino_t cgroup_ino@56:8:0
writeback/writeback_write_inode_start|char name[32]@8:32:0|ino_t ino@40:8:0|int sync_mode@48:4:1|ino_t cgroup_ino@56:8:0
writeback/writeback_written|char name[32]@8:32:0|long nr_pages@40:8:1|dev_t sb_dev@48:4:0|int sync_mode@52:4:1|int for_kupdate@56:4:1|int range_cyclic@60:4:1|int for_background@64:4:1|int reason@68:4:1|ino_t cgroup_ino@72:8:0
xdp/bpf_xdp_link_attach_failed|__data_loc char[] msg@8:4:0
xdp/mem_connect|const struct xdp_mem_allocator * xa@8:8:0|u32 mem_id@16:4:0|u32 mem_type@20:4:0|const void * allocator@24:8:0|const struct xdp_rxq_info * rxq@32:8:0|int ifindex@40:4:1
xdp/mem_disconnect|const struct xdp_mem_allocator * xa@8:8:0|u32 mem_id@16:4:0|u32 mem_type@20:4:0|const void * allocator@24:8:0
xdp/xdp_bulk_tx|int ifindex@8:4:1|u32 act@12:4:0|int drops@16:4:1|int sent@20:4:1|int err@24:4:1
xdp/xdp_cpumap_enqueue|int map_id@8:4:1|u32 act@12:4:0|int cpu@16:4:1|unsigned int drops@20:4:0|unsigned int processed@24:4:0|int to_cpu@28:4:1
xdp/xdp_cpumap_kthread|int map_id@8:4:1|u32 act@12:4:0|int cpu@16:4:1|unsigned int drops@20:4:0|unsigned int processed@24:4:0|int sched@28:4:1|unsigned int xdp_pass@32:4:0|unsigned int xdp_drop@36:4:0|unsigned int xdp_redirect@40:4:0
xdp/xdp_devmap_xmit|int from_ifindex@8:4:1|u32 act@12:4:0|int to_ifindex@16:4:1|int drops@20:4:1|int sent@24:4:1|int err@28:4:1
xdp/xdp_exception|int prog_id@8:4:1|u32 act@12:4:0|int ifindex@16:4:1
xdp/xdp_redirect|int prog_id@8:4:1|u32 act@12:4:0|int ifindex@16:4:1|int err@20:4:1|int to_ifindex@24:4:1|u32 map_id@28:4:0|int map_index@32:4:1
xdp/xdp_redirect_err|int prog_id@8:4:1|u32 act@12:4:0|int ifindex@16:4:1|int err@20:4:1|int to_ifindex@24:4:1|u32 map_id@28:4:0|int map_index@32:4:1
"""
