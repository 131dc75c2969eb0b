/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "api/http.h"
#include "api/json.h"
#include "core/err.h"

static void say(struct reply *reply, unsigned status, const char *code,
		const char *message)
{
	struct json_writer w = json_writer(&reply->body);

	if (reply->body.len)
		text_cut(&reply->body, 0);
	reply->status = status;
	reply->type = NULL;
	json_put_object(&w, NULL);
	json_put_object(&w, "error");
	json_put_text(&w, "code", code);
	json_put_text(&w, "message", message);
	json_put_number(&w, "generation", reply->generation);
	json_put_end(&w);
	json_put_end(&w);
}

void reply_error(struct reply *reply, unsigned status, const char *code,
		 const char *format, ...)
{
	char message[2 * ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	say(reply, status, code, message);
}
