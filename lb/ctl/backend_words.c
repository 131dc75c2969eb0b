/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/backend_words.h"
#include "ctl/ctl.h"

#define PLACES_MAX 3

/* A number becomes one: the API refuses "weight":"2", and rightly so. */
static json_t *value_of(const char *text)
{
	long long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return json_string(text);
	errno = 0;
	number = strtoll(text, &end, 10);
	return *end || errno ? json_string(text) : json_integer(number);
}

/* False: not valid UTF-8, or no memory. */
static bool set_key(json_t *body, const char *word, const char *equals)
{
	char key[64];

	if ((size_t)(equals - word) >= sizeof(key))
		return false;
	memcpy(key, word, (size_t)(equals - word));
	key[equals - word] = 0;
	return json_object_set_new(body, key, value_of(equals + 1)) == 0;
}

static int collect(json_t *body, char *const *words, unsigned n,
		   const char *places[PLACES_MAX], unsigned *n_places,
		   struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		const char *equals = strchr(words[i], '=');

		if (equals == words[i] ||
		    (equals && !set_key(body, words[i], equals)))
			return err_set(err, CTL_USAGE,
				       "\"%s\": expected KEY=VALUE", words[i]);
		if (equals)
			continue;
		if (strcmp(words[i], "backup") == 0) {
			json_object_set_new(body, "backup", json_true());
			continue;
		}
		if (*n_places == PLACES_MAX)
			return err_set(err, CTL_USAGE,
				       "\"%s\" is one word too many", words[i]);
		places[(*n_places)++] = words[i];
	}
	return CTL_OK;
}

int backend_words(struct backend_words *w, char *const *words, unsigned n,
		  bool figure, struct err *err)
{
	const char *places[PLACES_MAX] = {NULL};
	unsigned n_places = 0;
	const unsigned least = figure ? 2 : 1;
	int ret;

	memset(w, 0, sizeof(*w));
	w->body = json_object();
	if (!w->body)
		return err_set(err, CTL_REFUSED, "no memory");
	ret = collect(w->body, words, n, places, &n_places, err);
	if (!ret && (n_places < least || n_places > least + 1))
		ret = err_set(err, CTL_USAGE,
			      "expected [SERVICE] ID%s, not %u words",
			      figure ? " N" : "", n_places);
	if (ret) {
		json_decref(w->body);
		w->body = NULL;
		return ret;
	}
	if (figure)
		w->figure = places[--n_places];
	w->which = places[--n_places];
	w->service = n_places ? places[0] : NULL;
	return CTL_OK;
}
