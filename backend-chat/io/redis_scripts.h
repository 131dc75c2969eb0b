/* SPDX-License-Identifier: MIT */
/*
 * What Redis itself does, each in one step. Every script has one key: with more
 * of them Redis answers TRYAGAIN at both ends while their slot moves.
 */
#ifndef CHAT_REDIS_SCRIPTS_H
#define CHAT_REDIS_SCRIPTS_H

enum script {
	SCRIPT_POST,
	SCRIPT_LEASE,
	SCRIPT_CLAIM,
	SCRIPT_LEAVE,
	SCRIPT_DROP,
	SCRIPTS
};

/*
 * Posts messages (ids.h: msgid_next()).
 * KEYS the log; ARGV floor epoch, floor seq, MAXLEN, channel, SPUBLISH or
 * PUBLISH, then each record. Returns the first id, what was before it where an
 * epoch begins or "", and 1, or 0 if the messages must be published by the
 * caller, because scripts cannot here.
 */
static const char script_post[] =
	"local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]\n"
	"local e, s = 0, 0\n"
	"if last then\n"
	"  e, s = string.match(last[1], '^(%d+)-(%d+)$')\n"
	"  e, s = tonumber(e), tonumber(s)\n"
	"end\n"
	"local fe, fs = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
	"local prev, first, told = '', nil, 1\n"
	"if not last or fe > e or (fe == e and fs > s) then\n"
	"  if fe > 0 then prev = ARGV[1] .. '-' .. ARGV[2] end\n"
	"  local t = redis.call('TIME')\n"
	"  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)\n"
	"  e, s = math.max(now, e + 1, fe + 1), 0\n"
	"end\n"
	"local before = prev\n"
	"for i = 6, #ARGV do\n"
	"  s = s + 1\n"
	"  local id = string.format('%.0f-%.0f', e, s)\n"
	"  first = first or id\n"
	"  local head = id\n"
	"  if before == '' then\n"
	"    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], id, 'b', ARGV[i])\n"
	"  else\n"
	"    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], id, 'b', ARGV[i],"
	" 'p', before)\n"
	"    head = id .. ',' .. before\n"
	"    before = ''\n"
	"  end\n"
	"  if told == 1 then\n"
	"    local r = redis.pcall(ARGV[5], ARGV[4], head .. ' ' .. ARGV[i])\n"
	"    if type(r) == 'table' and r.err then told = 0 end\n"
	"  end\n"
	"end\n"
	"return {first, prev, told}\n";

/*
 * Says that an instance lives. KEYS {chat}:inst; ARGV instance, run, the rest
 * of its JSON, and for how many ms another run of that name keeps it. Returns 0
 * if one does, 1 if the entry is new, 2 if it was there, and Redis' time.
 */
static const char script_lease[] =
	"local t = redis.call('TIME')\n"
	"local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)\n"
	"local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
	"local same = false\n"
	"if old then\n"
	"  local run, ms = string.match(old, '^{\"run\":\"(%w+)\",\"ms\":(%d+)')\n"
	"  same = run == ARGV[2]\n"
	"  if run and not same and math.abs(now - tonumber(ms)) < tonumber(ARGV[4])"
	" then\n"
	"    return {0, string.format('%.0f', now)}\n"
	"  end\n"
	"end\n"
	"redis.call('HSET', KEYS[1], ARGV[1], string.format("
	"'{\"run\":\"%s\",\"ms\":%.0f,%s', ARGV[2], now, ARGV[3]))\n"
	"return {same and 2 or 1, string.format('%.0f', now)}\n";

/*
 * What the scripts about nicks share. Each change of {chat}:nicks has a number,
 * greater than those before, also than those that Redis has lost: it is Redis'
 * time in us if that is greater. The last one stands beside the nicks, under
 * the empty name. tell() publishes it with the notice of the change, whose
 * words begin at ARGV[i]: PUBLISH or SPUBLISH, the channel, and the text up to
 * the number. It returns 0 if the caller must publish, as scripts cannot here.
 */
#define SCRIPT_CHANGE                                                       \
	"local function change()\n"                                         \
	"  local t = redis.call('TIME')\n"                                  \
	"  local last = redis.call('HGET', KEYS[1], '') or '0'\n"           \
	"  local n = string.format('%.0f', math.max(tonumber(last) + 1,"    \
	" tonumber(t[1]) * 1000000 + tonumber(t[2])))\n"                    \
	"  redis.call('HSET', KEYS[1], '', n)\n"                            \
	"  return n\n"                                                      \
	"end\n"                                                             \
	"local function tell(n, i)\n"                                       \
	"  local r = redis.pcall(ARGV[i], ARGV[i + 1], ARGV[i + 2] .. n .." \
	" '\"}')\n"                                                         \
	"  if type(r) == 'table' and r.err then return 0 end\n"             \
	"  return 1\n"                                                      \
	"end\n"

/*
 * Takes a nick. KEYS {chat}:nicks; ARGV nick, hash of the token, instance, ms
 * of quiet, "1" if the list is new, the three words of the notice, then the
 * living instances. The value is "HASH INSTANCE LEFT", LEFT when its holder
 * left in Redis' ms, 0 while it is connected. Returns 1, the holder's value and
 * the number of the last change if somebody else holds it, 2 if its instance is
 * not in the list but the list is not new, else 0, the former value or "", the
 * number of this change, and what tell() returns.
 */
static const char script_claim[] = SCRIPT_CHANGE
	"local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
	"if old then\n"
	"  local hash, inst, left = string.match(old, '^(%x+) (%S+) (%d+)$')\n"
	"  left = tonumber(left)\n"
	"  if hash and hash ~= ARGV[2] then\n"
	"    local t = redis.call('TIME')\n"
	"    local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)\n"
	"    local lives = false\n"
	"    for i = 9, #ARGV do lives = lives or ARGV[i] == inst end\n"
	"    if left > 0 and math.abs(now - left) < tonumber(ARGV[4])"
	" or left == 0 and lives then\n"
	"      return {1, old, redis.call('HGET', KEYS[1], '') or '0'}\n"
	"    end\n"
	"    if left == 0 and ARGV[5] ~= '1' then return {2, old, '0'} end\n"
	"  end\n"
	"end\n"
	"local n = change()\n"
	"redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' 0')\n"
	"return {0, old or '', n, tell(n, 6)}\n";

/*
 * The holder of a nick has left. KEYS {chat}:nicks; ARGV nick, hash, instance,
 * "1" to keep it, the three words of the notice. Returns 1 if it was the
 * holder, else 0, then the number of this change, and what tell() returns.
 */
static const char script_leave[] = SCRIPT_CHANGE
	"local now = redis.call('TIME')\n"
	"if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] .. ' ' .. ARGV[3]"
	" .. ' 0' then return {0, '0', 1} end\n"
	"local n = change()\n"
	"if ARGV[4] == '1' then\n"
	"  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' '"
	" .. string.format('%.0f', tonumber(now[1]) * 1000"
	" + math.floor(tonumber(now[2]) / 1000)))\n"
	"else\n"
	"  redis.call('HDEL', KEYS[1], ARGV[1])\n"
	"end\n"
	"return {1, n, tell(n, 5)}\n";

/* Drops a field of a hash if it still has a value. ARGV field, value. */
static const char script_drop[] =
	"if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then\n"
	"  return redis.call('HDEL', KEYS[1], ARGV[1])\n"
	"end\n"
	"return 0\n";

#endif
