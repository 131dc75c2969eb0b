/* SPDX-License-Identifier: MIT */
/* See resp_err.h. */
#include "core/resp_err.h"
#include "core/slot.h"

#define WAIT_FIRST_MS 50
#define WAIT_MAX_MS   2000

static const struct {
	const char *word;
	enum resp_err means;
} words[] = {
	{"MOVED", RESP_ERR_MOVED},	 {"ASK", RESP_ERR_ASK},
	{"TRYAGAIN", RESP_ERR_WAIT},	 {"CLUSTERDOWN", RESP_ERR_WAIT},
	{"LOADING", RESP_ERR_WAIT},	 {"BUSY", RESP_ERR_WAIT},
	{"READONLY", RESP_ERR_WAIT},	 {"MASTERDOWN", RESP_ERR_WAIT},
	{"NOSCRIPT", RESP_ERR_NOSCRIPT}, {"NOAUTH", RESP_ERR_AUTH},
	{"WRONGPASS", RESP_ERR_AUTH},	 {"NOPERM", RESP_ERR_AUTH},
	{"OOM", RESP_ERR_FULL},		 {"MISCONF", RESP_ERR_FULL},
	{"CROSSSLOT", RESP_ERR_CROSS},
};

static struct slice take_word(struct slice *text)
{
	struct slice word = {text->at, 0};

	while (word.len < text->len && text->at[word.len] != ' ')
		word.len++;
	*text = slice_from(*text, word.len);
	if (text->len > 0)
		*text = slice_from(*text, 1);
	return word;
}

/* "3999 127.0.0.1:6381", also "3999 :6381" and "3999 ::1:6381" */
static bool read_redirect(struct slice text, struct resp_redirect *out)
{
	struct slice slot = take_word(&text), node = take_word(&text);
	unsigned long number, port;
	size_t colon = node.len;

	while (colon > 0 && node.at[colon - 1] != ':')
		colon--;
	if (colon == 0 || !slice_number(slot, SLOTS - 1, &number) ||
	    !slice_number(slice_from(node, colon), 65535, &port) || port == 0 ||
	    colon - 1 >= SLOT_HOST_MAX)
		return false;
	*out = (struct resp_redirect){
		(unsigned)number, {node.at, colon - 1}, (unsigned)port};
	return true;
}

enum resp_err resp_err_parse(struct slice text, struct resp_redirect *out)
{
	static const struct slice unknown = {"unknown command", 15};
	struct slice rest = text, word = take_word(&rest);

	*out = (struct resp_redirect){0, {NULL, 0}, 0};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!slice_equal(word, slice_of(words[i].word)))
			continue;
		if ((words[i].means == RESP_ERR_MOVED ||
		     words[i].means == RESP_ERR_ASK) &&
		    !read_redirect(rest, out))
			return RESP_ERR_OTHER;
		return words[i].means;
	}
	/* "ERR unknown command `X`, ..." and, of others, "ERR Unknown ..." */
	if (slice_equal(word, SLICE("ERR")) && rest.len >= unknown.len &&
	    slice_equal_case((struct slice){rest.at, unknown.len}, unknown))
		return RESP_ERR_UNKNOWN;
	return RESP_ERR_OTHER;
}

unsigned resp_err_wait_ms(unsigned attempt, uint32_t random)
{
	unsigned wait = attempt < 6 ? WAIT_FIRST_MS << attempt : WAIT_MAX_MS;

	if (wait > WAIT_MAX_MS)
		wait = WAIT_MAX_MS;
	return wait - random % (wait / 2 + 1);
}
