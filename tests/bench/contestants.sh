# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# contestants.sh - who is measured, how each is started, and what all share
#
# Of contestant NAME: start_NAME, stop_NAME, pids_NAME (its processes),
# addresses_NAME (web, bulk and echo, as the client is to reach them),
# version_NAME. Each balances the same three services in one instance:
#
#	web	three nginx, round robin
#	bulk	one iperf3 server
#	echo	three echo servers, round robin

BACKENDS=(198.18.0.11 198.18.0.12 198.18.0.13)
PORT_WEB=9001 PORT_BULK=5201 PORT_ECHO=7007 PORT_BLAST=9009
SOURCE2=198.18.0.3 # a second address of the balancer, for many flows

PRESENT=() ABSENT=()
find_contestants() {
	local name
	for name in $CONTESTANTS; do
		if CONTESTANT=$name of_contestant present; then PRESENT+=("$name"); else ABSENT+=("$name"); fi
	done
	[ ${#ABSENT[@]} -eq 0 ] ||
		say "  absent: ${ABSENT[*]} (make deps-bench installs them)"
}

has() { command -v "$1" >/dev/null; }
has_process() { [ "$1" != none ] && [ "$1" != nftables ]; }
of_contestant() { "$1_${CONTESTANT%%-*}"; } # l4lb-NAME is an l4lb
is_l4lb() { [ "${CONTESTANT%%-*}" = l4lb ]; }
pids_of_contestant() { of_contestant pids; }
balanced() { echo "$VIP:$VIP_PORT $VIP:$PORT_BULK $VIP:$PORT_ECHO"; }

# --- the same for everybody --------------------------------------------------

# A socket that would go to TIME_WAIT is destroyed instead, on every host: so
# no rate of new connections is bounded by ports that rest for a minute, and
# no backend sees a SYN for a connection that it still remembers. The kernel's
# NAT forgets closed connections after a second, for the same reason.
tune() {
	local host i
	for host in client lb b1 b2 b3; do
		on $host sysctl -qw net.ipv4.tcp_max_tw_buckets=0 \
			net.ipv4.ip_local_port_range='1024 65535' \
			net.ipv4.tcp_max_syn_backlog=8192 \
			net.ipv4.conf.all.send_redirects=0 \
			net.ipv4.conf.eth0.send_redirects=0
	done
	for i in 4 5 6 7 8 9; do # the client's, for connections that are held
		on client ip address add 198.18.0.$i/24 dev eth0
	done
	on lb ip address add $SOURCE2/24 dev eth0
}

# Segmentation, receive offload and checksums. Switched on means as a veth
# comes: GRO is off there, since on a veth it costs more than it saves.
bench_offloads() { # on|off
	lab_offloads "$1"
	[ "$1" = on ] || return 0
	local host nic
	for host in client lb b1 b2 b3; do on $host ethtool -K eth0 gro off; done
	for nic in client lb b1 b2 b3; do ethtool -K $nic-eth0 gro off; done
}

start_backends() {
	local host
	for host in b1 b2 b3; do
		start_web $host
		start "echo-$host" $host "$TOOLS/echod" "$PORT_ECHO"
		wait_listens $host "$PORT_ECHO"
	done
	start iperf3 b1 iperf3 -s -p "$PORT_BULK"
	wait_listens b1 "$PORT_BULK"
}

pids_of_backends() {
	local host
	for host in b1 b2 b3; do
		printf '%s\n' "$(pid_of web-$host)" "$(pid_of echo-$host)"
		pgrep -P "$(pid_of web-$host)"
	done
}

# Not the lab's nginx: that ends a connection after 1000 requests.
start_web() {
	local dir=$LAB_TMP/web-$1
	mkdir -p "$dir"
	nginx_head "$dir" >"$dir/nginx.conf"
	cat >>"$dir/nginx.conf" <<-END
		http {
			access_log off;
			client_body_temp_path $dir;
			proxy_temp_path $dir;
			fastcgi_temp_path $dir;
			uwsgi_temp_path $dir;
			scgi_temp_path $dir;
			keepalive_requests 1000000000;
			server {
				listen $PORT_WEB backlog=4096;
				location / { return 200 "$1\n"; }
			}
		}
	END
	start "web-$1" "$1" nginx -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_listens "$1" "$PORT_WEB"
}

nginx_head() { # DIRECTORY
	cat <<-END
		user root;
		daemon off;
		pid $1/pid;
		error_log $1/error.log;
		worker_processes 1;
		worker_rlimit_nofile 20000;
		events { worker_connections 19900; }
	END
}

# TEXT once for each backend, with its address for every @.
each_backend() {
	local b
	for b in "${BACKENDS[@]}"; do printf '%b' "${1//@/$b}"; done
}

# --- none: the client speaks to one backend itself ---------------------------

present_none() { true; }
version_none() { echo 'direct to one backend'; }
start_none() { :; }
stop_none() { :; }
pids_none() { :; }
addresses_none() {
	echo "${BACKENDS[0]}:$PORT_WEB ${BACKENDS[0]}:$PORT_BULK ${BACKENDS[0]}:$PORT_ECHO"
}

# --- l4lb ---------------------------------------------------------------------

l4lb_program() {
	local v
	for v in ${VARIANTS:-}; do
		[ "l4lb-${v%%=*}" != "$CONTESTANT" ] || { echo "${v#*=}"; return; }
	done
	echo "$L4LB_BUILD/l4lb"
}
present_l4lb() { [ -x "$(l4lb_program)" ]; }
version_l4lb() { "$(l4lb_program)" --version 2>/dev/null | head -n 1 || echo unknown; }
start_l4lb() {
	local conf=$LAB_TMP/l4lb.conf
	{
		printf '[global]\nflows = 262144\n'
		printf '[service web]\nlisten = %s\n' "$VIP:$VIP_PORT"
		each_backend "backend = @:$PORT_WEB\n"
		printf '[service bulk]\nlisten = %s\n' "$VIP:$PORT_BULK"
		printf 'backend = %s\n' "${BACKENDS[0]}:$PORT_BULK"
		printf '[service echo]\nlisten = %s\n' "$VIP:$PORT_ECHO"
		each_backend "backend = @:$PORT_ECHO\n"
		printf '[service blast]\nlisten = %s\n' "$VIP:$PORT_BLAST"
		each_backend "backend = @:$PORT_BLAST\n"
		printf 'source = %s\ncheck = none\n' "$VIP $SOURCE2"
	} >"$conf"
	# shellcheck disable=SC2086 # words
	anew l4lb lb "$(l4lb_program)" ${L4LB_ARGS:-} --config "$conf"
	wait_log l4lb "$L4LB_READY"
}
stop_l4lb() { stop l4lb; }
pids_l4lb() { [ -z "${LAB_PID[l4lb]:-}" ] || pid_of l4lb; }
addresses_l4lb() { balanced; }

# --- HAProxy ------------------------------------------------------------------

present_haproxy() { has haproxy; }
version_haproxy() { haproxy -v | awk 'NR == 1 { print $3 }'; }
start_haproxy() {
	cat >"$LAB_TMP/haproxy.cfg" <<-END
		global
			nbthread 1
			maxconn 9500
			maxpipes 200
		defaults
			mode tcp
			option splice-auto
			balance roundrobin
			timeout connect 10s
			timeout client 1h
			timeout server 1h
		listen web
			bind :$VIP_PORT backlog 4096
			$(each_backend "server @ @:$PORT_WEB\\n")
		listen bulk
			bind :$PORT_BULK
			server b1 ${BACKENDS[0]}:$PORT_BULK
		listen echo
			bind :$PORT_ECHO backlog 4096
			$(each_backend "server @ @:$PORT_ECHO\\n")
	END
	anew haproxy lb haproxy -db -f "$LAB_TMP/haproxy.cfg"
	wait_listens lb "$PORT_ECHO"
}
stop_haproxy() { stop haproxy; }
pids_haproxy() { [ -z "${LAB_PID[haproxy]:-}" ] || pid_of haproxy; }
addresses_haproxy() { balanced; }

# --- nginx stream ---------------------------------------------------------------

NGINX_STREAM=/usr/lib/nginx/modules/ngx_stream_module.so
present_nginx() { has nginx && [ -e "$NGINX_STREAM" ]; }
version_nginx() { nginx -v 2>&1 | sed 's/.*nginx\///; s/ .*//'; }
start_nginx() {
	local dir=$LAB_TMP/stream
	mkdir -p "$dir"
	{
		echo "load_module $NGINX_STREAM;"
		nginx_head "$dir"
		echo 'stream { proxy_timeout 1h;'
		echo "upstream web { $(each_backend "server @:$PORT_WEB; ") }"
		echo "upstream bulk { server ${BACKENDS[0]}:$PORT_BULK; }"
		echo "upstream echo { $(each_backend "server @:$PORT_ECHO; ") }"
		echo "server { listen $VIP_PORT backlog=4096; proxy_pass web; }"
		echo "server { listen $PORT_BULK; proxy_pass bulk; }"
		echo "server { listen $PORT_ECHO backlog=4096; proxy_pass echo; }"
		echo '}'
	} >"$dir/nginx.conf"
	anew nginx lb nginx -c "$dir/nginx.conf" -e "$dir/error.log"
	wait_listens lb "$PORT_ECHO"
}
stop_nginx() { stop nginx; }
pids_nginx() {
	[ -n "${LAB_PID[nginx]:-}" ] || return 0
	pid_of nginx
	echo
	pgrep -P "$(pid_of nginx)"
}
addresses_nginx() { balanced; }

# --- the kernel's NAT -----------------------------------------------------------

present_nftables() { has nft; }
version_nftables() { nft --version | awk '{ print $2 }'; }
nft_map() { # PORT
	printf 'dnat to numgen inc mod 3 map { 0 : %s, 1 : %s, 2 : %s } : %s' \
		"${BACKENDS[@]}" "$1"
}
start_nftables() {
	on lb sysctl -qw net.ipv4.ip_forward=1
	on lb nft -f - <<-END
		table ip balance {
			chain in {
				type nat hook prerouting priority dstnat;
				ip daddr $VIP tcp dport $VIP_PORT $(nft_map "$PORT_WEB")
				ip daddr $VIP tcp dport $PORT_BULK dnat to ${BACKENDS[0]}:$PORT_BULK
				ip daddr $VIP tcp dport $PORT_ECHO $(nft_map "$PORT_ECHO")
				ip daddr $VIP tcp dport $PORT_BLAST $(nft_map "$PORT_BLAST")
			}
			chain out {
				type nat hook postrouting priority srcnat;
				ip daddr { ${BACKENDS[0]}, ${BACKENDS[1]}, ${BACKENDS[2]} } masquerade
			}
		}
	END
	# It exists from now on, since something tracks connections.
	on lb sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1 \
		net.netfilter.nf_conntrack_tcp_timeout_close=1
}
stop_nftables() {
	on lb nft delete table ip balance
	on lb sysctl -qw net.ipv4.ip_forward=0
}
pids_nftables() { :; }
addresses_nftables() { balanced; }

# --- pen: one process a service ---------------------------------------------------

present_pen() { has pen; }
version_pen() { dpkg-query -W -f '${Version}' pen 2>/dev/null || echo unknown; }
start_pen() {
	start_one_pen web "$VIP_PORT" "$(each_backend " @:$PORT_WEB")"
	start_one_pen bulk "$PORT_BULK" " ${BACKENDS[0]}:$PORT_BULK"
	start_one_pen echo "$PORT_ECHO" "$(each_backend " @:$PORT_ECHO")"
}
start_one_pen() { # NAME PORT BACKENDS
	# shellcheck disable=SC2086 # words
	anew "pen-$1" lb pen -f -r -x 9500 -c 20000 -q 4096 "$2" $3
	wait_listens lb "$2"
}
stop_pen() {
	stop pen-web
	stop pen-bulk
	stop pen-echo
}
pids_pen() {
	local name
	for name in web bulk echo; do
		[ -z "${LAB_PID[pen-$name]:-}" ] || { pid_of pen-$name; echo; }
	done
}
addresses_pen() { balanced; }
