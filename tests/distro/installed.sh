#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest of install.sh: what the installed packages do, at the first and second boot.

set -u

n=0
bad=0

ok() {	# NAME COMMAND...
	local name=$1 out
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		printf '%s\n' "# $*" "$out" | sed 's/^\([^#]\)/# \1/'
		echo "not ok $n - $name"
		bad=1
	fi
}

is() {	# NAME GOT WANTED
	ok "$1" test "$2" = "$3"
}

first() {
	ok module_is_loaded test -d /sys/module/fusepass
	ok module_is_that_of_dkms sh -c 'modinfo -n fusepass | grep /updates/dkms/'
	is device_is_for_root_only "$(stat -c %a /dev/fusepass)" 600
	is control_files_are_mounted "$(findmnt -n -o FSTYPE /sys/fs/fusepass/connections)" fusepassctl
	ok doctor_misses_nothing fusepass doctor
	ok no_unit_has_failed sh -c '! systemctl --failed --no-legend | grep .'
	mkdir -p /srv/data/sub /srv/view
	echo "first" >/srv/data/a.txt
	head -c 300000 /dev/urandom >/srv/data/sub/b.bin
	( cd /srv/data && find . -type f -exec sha256sum {} + | sort ) >/opt/sums
	echo '/srv/data /srv/view fuse.fusepass policy=mirror,nofail 0 0' >>/etc/fstab
	service
}

# The unit is started when the tree is there; a server that was killed is started again.
service() {
	mkdir -p /etc/fusepass /srv/served
	printf '%s\n' SOURCE=/srv/data MOUNTPOINT=/srv/served 'OPTIONS=--policy suffix -k suffixes=.txt' \
		>/etc/fusepass/data.conf
	ok service_starts systemctl start fusepass@data
	ok tree_of_the_service_is_there_with_its_policy \
		sh -c 'cat /srv/served/a.txt && fusepass policy show /srv/served | grep "suffixes=.txt"'
	kill -KILL "$(systemctl show -p MainPID --value fusepass@data)"
	ok service_comes_back sh -c 'for i in $(seq 100); do
		cat /srv/served/a.txt && exit; sleep 0.2; done 2>/dev/null; exit 1'
	ok service_stops systemctl stop fusepass@data
	ok service_has_unmounted sh -c '! mountpoint -q /srv/served'
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

second() {
	is fstab_line_is_mounted "$(findmnt -n -o FSTYPE,SOURCE /srv/view | xargs)" "fusepass /srv/data"
	ok policy_is_attached sh -c 'fusepass policy list | grep -E "mirror .*/srv/view$"'
	fusepass stat --reset /srv/view
	is tree_is_that_of_the_source \
		"$(cd /srv/view && find . -type f -exec sha256sum {} + | sort)" "$(cat /opt/sums)"
	is server_has_seen_no_request "$(requests)" 0
	ok list_shows_it sh -c 'fusepass list | grep -E "^/srv/view +/srv/data +[0-9]+ +yes +mirror"'
	ok remounted_read_only mount -o remount,ro /srv/view
	ok it_is_read_only sh -c '! touch /srv/view/new'
	ok remounted_for_writing mount -o remount,rw,noatime /srv/view
	ok options_are_those_asked_for sh -c 'touch /srv/view/new && findmnt -no OPTIONS /srv/view | grep noatime'
	ok policy_is_attached_still sh -c 'fusepass policy show /srv/view | grep "policy mirror"'
	ok no_unit_has_failed sh -c '! systemctl --failed --no-legend | grep .'
	sed -i '/fuse\.fusepass/d' /etc/fstab
	ok unmounted umount /srv/view
	ok purged apt-get -q -y purge --autoremove fusepass fusepass-dkms libfusepass-dev libfusepass0
	umount /sys/fs/fusepass/connections
	ok module_can_be_removed rmmod fusepass
	ok no_module_is_left sh -c '! modinfo fusepass'
	ok no_trace_is_left without_trace
}

"$1"
echo "1..$n"
exit $bad
