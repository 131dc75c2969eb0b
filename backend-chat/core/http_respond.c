/* SPDX-License-Identifier: MIT */
/* See http.h: responses. */
#include "core/http.h"
#include "core/ws.h"

#include <time.h>

#define RETRY_AFTER_S 5 /* of the maintenance answer; its page reloads then */

static const char csp[] =
	"Content-Security-Policy: default-src 'none'; script-src 'self'; "
	"style-src 'self'; img-src 'self' https: data:; connect-src 'self' "
	"ws: wss:; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'\r\n";

static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* IMF-fixdate, in English whatever the locale (RFC 9110 section 5.6.7). */
static void put_date(struct writer *w, int64_t date_s)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed",
				       "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr",
					 "May", "Jun", "Jul", "Aug",
					 "Sep", "Oct", "Nov", "Dec"};
	const time_t seconds = (time_t)date_s;
	struct tm tm;

	if (!date_s || !gmtime_r(&seconds, &tm))
		return;
	writer_printf(w, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
		      days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		      tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_header(struct writer *w, const char *name, const char *value)
{
	if (value)
		writer_printf(w, "%s: %s\r\n", name, value);
}

static void put_cors(struct writer *w, const struct http_request *r,
		     const char *origin)
{
	if (!origin)
		return;
	put_header(w, "Access-Control-Allow-Origin", origin);
	put_header(w, "Vary", "Origin");
	if (!r || !slice_equal(r->verb_name, SLICE("OPTIONS")))
		return;
	put_header(w, "Access-Control-Allow-Methods",
		   "GET, HEAD, POST, OPTIONS");
	put_header(w, "Access-Control-Allow-Headers",
		   "Authorization, Content-Type, Idempotency-Key");
}

bool http_respond(struct writer *w, const struct http_request *r,
		  const struct http_response *response)
{
	const bool goes_on = r && r->keep_alive && !response->close;
	const bool has_body =
		response->status != 204 && response->status != 304;

	writer_printf(w, "HTTP/1.1 %u %s\r\n", response->status,
		      reason_of(response->status));
	put_date(w, response->date_s);
	if (has_body) {
		put_header(w, "Content-Type", response->type);
		writer_printf(w, "Content-Length: %zu\r\n", response->body.len);
	}
	put_header(w, "Cache-Control",
		   response->cache ? response->cache : "no-store");
	if (response->etag.len)
		writer_printf(w, "ETag: %.*s\r\n", SLICE_ARG(response->etag));
	put_header(w, "Allow", response->allow);
	if (response->retry_after_s)
		writer_printf(w, "Retry-After: %u\r\n",
			      response->retry_after_s);
	if (response->authenticate)
		put_header(w, "WWW-Authenticate", "Bearer");
	if (response->websocket_version) {
		put_header(w, "Upgrade", "websocket");
		put_header(w, "Sec-WebSocket-Version", "13");
	}
	put_cors(w, r, response->cors_origin);
	if (r && r->id.len)
		writer_printf(w, "X-Request-Id: %.*s\r\n", SLICE_ARG(r->id));
	put_header(w, "X-Content-Type-Options", "nosniff");
	put_header(w, "Referrer-Policy", "no-referrer");
	if (response->page)
		writer_put_slice(w, SLICE(csp));
	if (!goes_on)
		put_header(w, "Connection", "close");
	else if (r->http_1_0)
		put_header(w, "Connection", "keep-alive");
	writer_put(w, "\r\n", 2);
	if (has_body && !(r && r->verb == HTTP_VERB_HEAD))
		writer_put_slice(w, response->body);
	return goes_on;
}

static void put_html(struct writer *w, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': writer_printf(w, "&amp;"); break;
		case '<': writer_printf(w, "&lt;"); break;
		case '>': writer_printf(w, "&gt;"); break;
		default: writer_put(w, text, 1); break;
		}
	}
}

/* refresh_s: the page reloads itself after that time; 0: not. */
static void put_page(struct writer *w, unsigned status, const char *message,
		     unsigned refresh_s)
{
	writer_printf(w, "<!doctype html>\n<html lang=\"en\"><head>"
			 "<meta charset=\"utf-8\">"
			 "<meta name=\"viewport\" "
			 "content=\"width=device-width\">");
	if (refresh_s)
		writer_printf(w, "<meta http-equiv=\"refresh\" content=\"%u\">",
			      refresh_s);
	writer_printf(w, "<title>%u %s</title></head><body><h1>%s</h1>\n<p>",
		      status, reason_of(status), reason_of(status));
	put_html(w, message);
	writer_printf(w, "</p></body></html>\n");
}

bool http_respond_error(struct writer *w, const struct http_request *r,
			unsigned status, const char *code, const char *message,
			const struct http_response *extra)
{
	struct http_response response =
		extra ? *extra : (struct http_response){0};
	struct writer body;
	bool goes_on;

	writer_init(&body, HTTP_RESPONSE_MAX);
	response.status = status;
	if (r && http_wants_html(r)) {
		response.type = "text/html; charset=utf-8";
		response.page = true;
		put_page(&body, status, message,
			 status == 503 ? response.retry_after_s : 0);
	} else {
		response.type = "application/json; charset=utf-8";
		writer_printf(&body,
			      "{\"success\":false,\"error\":\"%s\","
			      "\"message\":",
			      code);
		writer_put_json(&body, slice_of(message));
		writer_printf(&body, "}\n");
	}
	response.body = writer_slice(&body);
	goes_on = http_respond(w, r, &response);
	w->failed |= body.failed;
	writer_free(&body);
	return goes_on;
}

bool http_respond_maintenance(struct writer *w, const struct http_request *r)
{
	const struct http_response extra = {.retry_after_s = RETRY_AFTER_S};

	return http_respond_error(w, r, 503, "maintenance", HTTP_MAINTENANCE,
				  &extra);
}

bool http_respond_upgrade(struct writer *w, struct slice key, bool subprotocol)
{
	char accept[WS_ACCEPT_LEN + 1];

	if (!ws_accept(key, accept)) {
		w->failed = true;
		return false;
	}
	writer_printf(w,
		      "HTTP/1.1 101 Switching Protocols\r\n"
		      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Accept: %s\r\n%s\r\n",
		      accept,
		      subprotocol ? "Sec-WebSocket-Protocol: " WS_SUBPROTOCOL
				    "\r\n"
				  : "");
	return !w->failed;
}
