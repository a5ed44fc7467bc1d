# SPDX-License-Identifier: GPL-2.0-or-later
# Charts of `make bench`; gnuplot -e "dir='build/bench'" tests/bench/charts.gp
set datafile separator "\t"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set xtics rotate by -45 font ",10" noenhanced
set key outside top horizontal
set grid ytics
set ylabel "instructions, native = 1"

set terminal svg size 1400,640 font "sans-serif,12" background rgb "white"
set output dir."/operations.svg"
set title "All systems (logarithmic)"
set logscale y
plot for [i=2:7] dir."/systems.dat" using i:xtic(1) title columnheader(i)

set output dir."/near.svg"
set title "bind mount, overlayfs and fusepass"
unset logscale y
set yrange [0:*]
plot for [i=2:4] dir."/systems.dat" using i:xtic(1) title columnheader(i), 1 notitle with lines lc rgb "black"

if (system("test -s ".dir."/jobs.dat && echo yes") eq "yes") {
	set terminal svg size 800,480 font "sans-serif,12" background rgb "white"
	set output dir."/jobs.svg"
	set title "Whole jobs, two CPUs"
	set ylabel "time, native = 1"
	plot for [i=2:5] dir."/jobs.dat" using i:xtic(1) title columnheader(i)
}
