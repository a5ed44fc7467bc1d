#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest of install.sh: what the installed packages do, at the first and second boot.

set -u
. "$FUSEPASS_TOP/tests/lib/tap.sh"
built=$FUSEPASS_TOP/build/vm/install-built	# by develop.sh

# What ends by itself soon after something else: servers end after the unmount.
eventually() {	# COMMAND...
	local i
	for ((i = 0; i < 50; i++)); do
		"$@" && return
		sleep 0.2
	done
	return 1
}

first() {
	claim module_is_loaded test -d /sys/module/fusepass
	claim module_is_that_of_dkms sh -c 'modinfo -n fusepass | grep /updates/dkms/'
	is device_is_for_root_only "$(stat -c %a /dev/fusepass)" 600
	is control_files_are_mounted "$(findmnt -n -o FSTYPE /sys/fs/fusepass/connections)" fusepassctl
	claim doctor_misses_nothing fusepass doctor
	claim no_unit_has_failed sh -c '! systemctl --failed --no-legend | grep .'
	mkdir -p /srv/data/sub /srv/view
	echo "first" >/srv/data/a.txt
	head -c 300000 /dev/urandom >/srv/data/sub/b.bin
	( cd /srv/data && find . -type f -exec sha256sum {} + | sort ) >/opt/sums
	echo '/srv/data /srv/view fuse.fusepass policy=mirror,nofail 0 0' >>/etc/fstab
	by_hand
	service
}

by_hand() {
	claim mounted_by_hand mount -t fuse.fusepass /srv/data /srv/view \
		-o policy=suffix,knob.suffixes=.txt:.h,ro,nofail
	claim it_has_policy_and_knobs sh -c 'fusepass policy show /srv/view | grep "suffixes=.txt,.h"'
	claim it_is_read_only sh -c '! touch /srv/view/new'
	claim unmounted_by_fusermount3 fusermount3 -u /srv/view
	claim another_file_system_is_the_kernels_own sh -c 'grep -qw fuse /proc/filesystems && [ -c /dev/fuse ]'
}

# The unit is started when the tree is there; a server that was killed is started again.
service() {
	mkdir -p /etc/fusepass /srv/served
	printf '%s\n' SOURCE=/srv/data MOUNTPOINT=/srv/served 'OPTIONS=--policy suffix -k suffixes=.txt' \
		>/etc/fusepass/data.conf
	claim service_starts systemctl start fusepass@data
	claim tree_of_the_service_is_there_with_its_policy \
		sh -c 'cat /srv/served/a.txt && fusepass policy show /srv/served | grep "suffixes=.txt"'
	kill -KILL "$(systemctl show -p MainPID --value fusepass@data)"
	claim service_comes_back eventually cmp /srv/data/sub/b.bin /srv/served/sub/b.bin
	is it_has_taken_the_place_of_the_dead_mount "$(findmnt -no TARGET /srv/served | wc -l)" 1
	claim service_stops systemctl stop fusepass@data
	claim service_has_unmounted sh -c '! mountpoint -q /srv/served'
	rm -r /etc/fusepass
}

requests() {
	fusepass stat /srv/view | awk '$1 == "total" { print $2 }'
}

# Libraries and headers that came along stay where something else recommends them.
without_trace() {
	find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache \
		-o -path /var/log -o -path /tmp -o -path /run -o -path /opt -o -path /dev \) -prune \
		-o -print | LC_ALL=C sort >/opt/files-after
	LC_ALL=C comm -13 /opt/files-before /opt/files-after | grep -i fusepass
	[ $? -eq 1 ] && [ ! -e /run/fusepass ] && [ ! -e /sys/fs/bpf/fusepass ]
}

# What develop.sh has built, in the place of the policy that is there.
try_what_was_built() {
	claim policy_of_the_manual_replaces fusepass policy replace "$built/rootonly.bpf.o" /srv/view
	claim template_replaces fusepass policy replace "$built/my_count/my_count.bpf.o" /srv/view
	claim detached fusepass policy detach /srv/view
	is program_attaches "$("$built/attach" mirror /srv/view)" mirror
	claim detached_again fusepass policy detach /srv/view
	is static_program_attaches "$("$built/attach-static" readonly /srv/view)" readonly
}

remount() {
	claim remounted_read_only mount -o remount,ro /srv/view
	claim it_is_read_only sh -c '! touch /srv/view/new'
	claim remounted_for_writing mount -o remount,rw,noatime /srv/view
	claim options_are_those_asked_for sh -c 'touch /srv/view/new && findmnt -no OPTIONS /srv/view | grep noatime'
	claim policy_is_attached_still sh -c 'fusepass policy show /srv/view | grep "policy mirror"'
}

second() {
	is fstab_line_is_mounted "$(findmnt -n -o FSTYPE,SOURCE /srv/view | xargs)" "fusepass /srv/data"
	claim policy_is_attached sh -c 'fusepass policy list | grep -E "mirror .*/srv/view$"'
	fusepass stat --reset /srv/view
	is tree_is_that_of_the_source \
		"$(cd /srv/view && find . -type f -exec sha256sum {} + | sort)" "$(cat /opt/sums)"
	is server_has_seen_no_request "$(requests)" 0
	claim list_shows_it sh -c 'fusepass list | grep -E "^/srv/view +/srv/data +[0-9]+ +yes +mirror"'
	remount
	try_what_was_built
	claim no_unit_has_failed sh -c '! systemctl --failed --no-legend | grep .'
	sed -i '/fuse\.fusepass/d' /etc/fstab
	claim unmounted umount /srv/view
	claim purged apt-get -q -y purge --autoremove fusepass fusepass-dkms libfusepass-dev libfusepass0
	claim control_files_are_unmounted sh -c '! mountpoint -q /sys/fs/fusepass/connections'
	claim module_can_be_removed eventually rmmod fusepass
	claim no_module_is_left sh -c '! modinfo fusepass'
	claim no_trace_is_left without_trace
}

"$1"
done_testing
