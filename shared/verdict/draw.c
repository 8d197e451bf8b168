/*
 * draw.c - the path search as graphviz input, and as a page with a picture.
 *
 * The page is whole by itself: no script, no font, no address. What the certificate
 * says is printable already; here it is escaped once more for where it stands.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "verdict/picture.h"

#define BOX_WIDTH	230u
#define BOX_HEIGHT	58u
#define GAP_X		50u
#define GAP_Y		22u
#define MARGIN		12u
/* Bytes of a name in a box, of which one line has so many. */
#define MAX_LABEL	27u

/* ---------------------------------------------------------------- graphviz */

static void
dot_string(struct text *out, const char *value)
{
	const char	*p;

	text_add(out, "\"");
	for (p = value; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			text_add(out, "\\");
		text_add_n(out, p, 1);
	}
	text_add(out, "\"");
}

static const char *
kind_word(enum picture_kind kind)
{
	switch (kind) {
	case PICTURE_LEAF:
		return "certificate";
	case PICTURE_CA:
		return "CA";
	case PICTURE_ANCHOR:
		return "trust anchor";
	case PICTURE_MISSING:
		break;
	}
	return "issuer, not found";
}

static void
dot_node(struct text *out, const struct picture_node *node, size_t number)
{
	struct text	label = { 0 };

	text_printf(&label, "%s: %s", kind_word(node->kind), node->name);
	if (node->slug != NULL)
		text_printf(&label, " (%s)", node->slug);
	text_printf(out, "\tn%zu [label=", number);
	dot_string(out, label.data != NULL ? label.data : "");
	text_printf(out, ", color=%s%s];\n", node->slug != NULL ? "red" :
	    node->shown ? "darkgreen" : "gray",
	    node->kind == PICTURE_MISSING ? ", style=dashed" :
	    node->kind == PICTURE_ANCHOR ? ", peripheries=2" : "");
	out->failed |= label.failed;
	text_free(&label);
}

char *
certauth_verdict_dot(const struct certauth_verdict *v)
{
	struct picture	picture;
	struct text	out = { 0 };
	size_t		i;

	if (v == NULL || !picture_make(&picture, v))
		return NULL;
	text_add(&out, "digraph certauth {\n\trankdir=LR;\n"
	    "\tnode [shape=box, fontname=\"sans-serif\"];\n\tlabel=");
	dot_string(&out, certauth_verdict_text(v));
	text_add(&out, ";\n");
	for (i = 0; i < picture.num_nodes; i++)
		dot_node(&out, &picture.nodes[i], i);
	for (i = 0; i < picture.num_edges; i++)
		text_printf(&out, "\tn%zu -> n%zu%s;\n", picture.edges[i].from,
		    picture.edges[i].to, picture.edges[i].shown ?
		    " [penwidth=2]" : " [color=gray]");
	if (picture.num_left_out > 0)
		text_printf(&out, "\tmore [shape=plaintext, label=\"%zu more "
		    "paths\"];\n", picture.num_left_out);
	text_add(&out, "}\n");
	picture_free(&picture);
	return text_take(&out);
}

/* -------------------------------------------------------------------- HTML */

static void
html_n(struct text *out, const char *value, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		switch (value[i]) {
		case '<':
			text_add(out, "&lt;");
			break;
		case '>':
			text_add(out, "&gt;");
			break;
		case '&':
			text_add(out, "&amp;");
			break;
		case '"':
			text_add(out, "&quot;");
			break;
		case '\'':
			text_add(out, "&#39;");
			break;
		default:
			text_add_n(out, value + i, 1);
		}
}

static void
html(struct text *out, const char *value)
{
	html_n(out, value, strlen(value));
}

/* One line of a box: cut between characters. */
static void
svg_line(struct text *out, unsigned x, unsigned y, const char *class,
    const char *value)
{
	size_t	len = strlen(value);

	text_printf(out, "<text x=\"%u\" y=\"%u\" class=\"%s\">", x, y, class);
	if (len > MAX_LABEL) {
		len = MAX_LABEL;
		while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
			len--;
		html_n(out, value, len);
		text_add(out, "\xe2\x80\xa6");
	} else {
		html(out, value);
	}
	text_add(out, "</text>\n");
}

/* Of a name the common name says most. */
static const char *
short_name(const char *name)
{
	const char	*cn = strstr(name, "CN=");

	return cn != NULL && (cn == name || cn[-1] == ',' || cn[-1] == '+') ?
	    cn + 3 : name;
}

static unsigned
left(const struct picture_node *node)
{
	return MARGIN + node->column * (BOX_WIDTH + GAP_X);
}

static unsigned
top(const struct picture_node *node)
{
	return MARGIN + node->row * (BOX_HEIGHT + GAP_Y);
}

static void
svg_node(struct text *out, const struct picture_node *node)
{
	unsigned	x = left(node), y = top(node);

	text_printf(out, "<g class=\"%s%s\"><title>",
	    node->slug != NULL ? "bad" : node->shown ? "good" : "other",
	    node->kind == PICTURE_MISSING ? " missing" :
	    node->kind == PICTURE_ANCHOR ? " anchor" : "");
	html(out, node->name);
	if (node->detail != NULL) {
		text_add(out, ": ");
		html(out, node->detail);
	}
	text_printf(out, "</title>\n<rect x=\"%u\" y=\"%u\" width=\"%u\" "
	    "height=\"%u\" rx=\"6\"/>\n", x, y, BOX_WIDTH, BOX_HEIGHT);
	svg_line(out, x + 10, y + 17, "kind", kind_word(node->kind));
	svg_line(out, x + 10, y + 34, "name", short_name(node->name));
	if (node->slug != NULL)
		svg_line(out, x + 10, y + 50, "slug", node->slug);
	text_add(out, "</g>\n");
}

static void
svg_edge(struct text *out, const struct picture *p, const struct picture_edge *e)
{
	const struct picture_node	*from = &p->nodes[e->from];
	const struct picture_node	*to = &p->nodes[e->to];
	unsigned			 x1 = left(from) + BOX_WIDTH, x2 = left(to);
	unsigned			 y1 = top(from) + BOX_HEIGHT / 2;
	unsigned			 y2 = top(to) + BOX_HEIGHT / 2;

	/* An older certificate of a mesh may stand to the left of its issuer's. */
	text_printf(out, "<path class=\"%s\" d=\"M%u %u C%u %u %u %u %u %u\"/>\n",
	    e->shown ? "edge" : "edge other", x1, y1, x1 + GAP_X / 2, y1,
	    x2 > GAP_X / 2 ? x2 - GAP_X / 2 : 0, y2, x2, y2);
}

static void
svg(struct text *out, const struct picture *p)
{
	size_t	i;

	if (p->num_nodes == 0)
		return;
	text_printf(out, "<figure><svg role=\"img\" aria-label=\"the paths that "
	    "were tried\" width=\"%u\" height=\"%u\">\n",
	    2 * MARGIN + p->num_columns * (BOX_WIDTH + GAP_X) - GAP_X,
	    2 * MARGIN + p->num_rows * (BOX_HEIGHT + GAP_Y) - GAP_Y);
	for (i = 0; i < p->num_edges; i++)
		svg_edge(out, p, &p->edges[i]);
	for (i = 0; i < p->num_nodes; i++)
		svg_node(out, &p->nodes[i]);
	text_add(out, "</svg>");
	if (p->num_left_out > 0)
		text_printf(out, "<figcaption>%zu more paths are not drawn."
		    "</figcaption>", p->num_left_out);
	text_add(out, "</figure>\n");
}

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c1e21;--dim:#5d6570;"
    "--line:#c9ced6;--good:#116329;--bad:#a40e26;--box:#f6f8fa}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#16191d;--fg:#e6e9ed;"
    "--dim:#9aa4b1;--line:#3c444f;--good:#4fc26b;--bad:#ff7b85;--box:#20252b}}\n"
    "body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--bg);"
    "color:var(--fg);font:16px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.05rem;margin:1.4rem 0 .4rem}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}\n"
    "figure{margin:0;overflow-x:auto}figcaption{color:var(--dim)}\n"
    "rect{fill:var(--box);stroke:var(--line);stroke-width:1.5}\n"
    ".good rect{stroke:var(--good)}.bad rect{stroke:var(--bad)}"
    ".missing rect{stroke-dasharray:6 4}.anchor rect{stroke-width:3}\n"
    "text{fill:var(--fg);font:13px system-ui,sans-serif}.kind{fill:var(--dim);"
    "font-size:11px}.name{font-weight:600}.slug{fill:var(--bad);font-size:12px}\n"
    ".edge{fill:none;stroke:var(--good);stroke-width:2}.edge.other{"
    "stroke:var(--line)}\n"
    "table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;"
    "padding:.15rem .8rem .15rem 0;overflow-wrap:anywhere}th{color:var(--dim);"
    "font-weight:400;white-space:nowrap}\n"
    "pre{background:var(--box);border:1px solid var(--line);border-radius:6px;"
    "padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}\n";

static void
table(struct text *out, const struct certauth_verdict *v)
{
	static const struct { const char *label, *attr; } rows[] = {
		{ "User", "user" }, { "Groups", "groups" }, { "Rule", "rule" },
		{ "Strength", "strength" }, { "Subject", "subject" },
		{ "Mailbox", "email" }, { "Issuer", "issuer" },
		{ "Serial number", "serial" }, { "SHA-256", "fingerprint" },
		{ "Valid until", "not_after" }, { "Renewal", "renewal" },
		{ "Policies", "policies" }, { "Authority", "authority" },
		{ "Profile", "profile" }, { "Revocation status from", "revocation" },
		{ "Issued at", "revocation_from" }, { "Id", "id" },
	};
	const char	*value;
	char		 when[32];
	size_t		 i;

	text_printf(out, "<table>\n<tr><th>Judged at</th><td>%s</td></tr>\n",
	    text_time_print(when, sizeof(when), verdict_now(v)));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = certauth_verdict_get(v, rows[i].attr);
		if (value == NULL || value[0] == '\0')
			continue;
		text_printf(out, "<tr><th>%s</th><td>", rows[i].label);
		html(out, value);
		text_add(out, "</td></tr>\n");
	}
	text_add(out, "</table>\n");
}

static void
heading(struct text *out, const struct certauth_verdict *v)
{
	enum certauth_reason	reason = certauth_verdict_reason(v);
	bool			accepted = certauth_verdict_decision(v) ==
				    CERTAUTH_ACCEPT;

	text_printf(out, "<!doctype html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width,initial-scale=1\">\n"
	    "<title>certauth: %s</title>\n<style>%s</style></head><body>\n"
	    "<h1 class=\"%s\">%s: %s (%d)</h1>\n<p>",
	    certauth_reason_slug(reason), style, accepted ? "good" : "bad",
	    accepted ? "Accepted" : "Refused", certauth_reason_slug(reason),
	    (int)reason);
	html(out, verdict_message(v));
	text_add(out, "</p>\n");
	if (!accepted) {
		text_add(out, "<p><strong>What to do:</strong> ");
		html(out, certauth_reason_mend(reason));
		text_add(out, "</p>\n");
	}
}

char *
certauth_verdict_html(const struct certauth_verdict *v)
{
	struct picture	picture;
	struct text	out = { 0 };

	if (v == NULL || !picture_make(&picture, v))
		return NULL;
	heading(&out, v);
	text_add(&out, "<h2>The paths that were tried</h2>\n");
	svg(&out, &picture);
	text_add(&out, "<h2>The certificate</h2>\n");
	table(&out, v);
	text_add(&out, "<h2>Step by step</h2>\n<pre>");
	html(&out, certauth_verdict_explain(v));
	text_printf(&out, "</pre>\n<p class=\"kind\">%s</p>\n</body></html>\n",
	    certauth_version());
	picture_free(&picture);
	return text_take(&out);
}
