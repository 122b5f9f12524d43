#!/bin/busybox sh
# The first process of a guest: mounts the host's root below a writable layer, runs /share/command there, powers off.
B=/bin/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $B insmod "$module" 2>/dev/null || echo "not loaded: $module"; done

OPTIONS=trans=virtio,version=9p2000.L,msize=262144
$B mount -t 9p -o $OPTIONS,rw,cache=none share /share || $B poweroff -f
$B mount -t 9p -o $OPTIONS,ro,cache=loose host /host || $B poweroff -f
$B mount -t tmpfs -o size=75% tmpfs /rw
$B mkdir /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /new || $B poweroff -f

for part in proc sys dev; do $B mount --move /$part /new/$part; done
cd /new
# devtmpfs comes empty but for the devices; the rest hides what the host keeps there.
$B mkdir -p dev/pts dev/shm run/guest
$B mount -t devpts devpts dev/pts
for part in dev/shm tmp run; do $B mount -t tmpfs tmpfs $part; done
# A tree that lies in what was just hidden comes back.
tree=$($B cat /share/tree)
case $tree in
    /tmp/* | /run/*)
        $B mkdir -p .$tree /rw/tree /rw/treework
        $B mount -t overlay -o lowerdir=/host$tree,upperdir=/rw/tree,workdir=/rw/treework overlay .$tree
        ;;
esac
$B mkdir -p run/guest run/netns run/lock
$B mount --move /share run/guest
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do $B ln -sf ${link#*:} dev/${link%%:*}; done
$B mount -t tracefs tracefs sys/kernel/tracing
$B mount -t debugfs debugfs sys/kernel/debug
$B mount -t securityfs securityfs sys/kernel/security
$B mount -t bpf bpffs sys/fs/bpf
$B mount -t cgroup2 cgroup2 sys/fs/cgroup
$B mkdir -p boot
$B cp /config boot/config-$($B uname -r)
$B ip link set lo up
$B hostname guest

# A login shell's limits: what a kernel gives to a process by default (64 KB of locked memory on old ones).
$B touch run/guest/started
# The new root in the place of the old one: below a mere chroot the kernel makes no user namespaces.
$B mount --move . /
$B chroot . /bin/sh /run/guest/command >run/guest/stdout 2>run/guest/stderr <dev/null
echo $? >run/guest/status
$B sync
$B poweroff -f
