/*
 * bench_core.c - what does one answer of the core cost?
 *
 *   bench_core [-r ROUNDS] [-n LEAVES] [-k KIND] [-o VARIANT | -t]
 *
 * Variants, in turn in each round, each over the same certificates, freshly
 * parsed (a handshake parses them before anybody is asked; not counted):
 *   signature   one EVP_DigestVerify with the issuing CA's key: the floor
 *   stock       X509_verify_cert, chain sent, no CRL
 *   cold        certauth_verify, chain sent, a leaf this engine has never seen
 *   cold-alone  the same, the client sent its leaf alone
 *   warm        certauth_verify, chain sent, seen before
 * -t instead, with one and two threads at once:
 *   threads-1, threads-2  cold, verifies in a second of wall time
 * -o runs one variant alone, for a profiler (callgrind --toggle-collect=timed).
 */

#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum variant { SIGNATURE, STOCK, COLD, COLD_ALONE, WARM, VARIANTS };

static const char *const names[] = {
	"signature", "stock", "cold", "cold-alone", "warm"
};

struct run {
	const struct chain	*chain;
	X509_STORE		*store;
	struct certauth		*engine;	/* of this round */
	size_t			 from, to;	/* leaves */
};

struct parsed {
	X509		*leaf;
	STACK_OF(X509)	*sent;
};

static struct parsed
parse_one(const struct chain *c, size_t i, bool alone)
{
	struct parsed	p = { parse(&c->leaves[i]), sk_X509_new_null() };

	must(p.sent != NULL);
	if (!alone)
		must(sk_X509_push(p.sent, parse(&c->ca_der)) > 0);
	return p;
}

/* What is counted. Not static: callgrind toggles its counters by this name. */
void timed(const struct run *, enum variant, struct parsed *);
__attribute__((noinline)) void
timed(const struct run *r, enum variant variant, struct parsed *p)
{
	size_t	i;

	for (i = r->from; i < r->to; i++, p++) {
		switch (variant) {
		case SIGNATURE:
			check_signature(&r->chain->leaves[i], p->leaf,
			    r->chain->ca_key, true);
			break;
		case STOCK:
			stock_verify(r->store, p->leaf, p->sent, true);
			break;
		default:
			ask(r->engine, p->leaf, p->sent, CERTAUTH_OK);
			break;
		}
	}
}

/* Microseconds of CPU per answer. */
static double
measure(const struct run *r, enum variant variant)
{
	size_t		 i, n = r->to - r->from;
	struct parsed	*p = calloc(n + 1, sizeof(*p));
	double		 begin, end;

	must(p != NULL);
	for (i = 0; i < n; i++)
		p[i] = parse_one(r->chain, r->from + i, variant == COLD_ALONE);
	begin = cpu_us();
	timed(r, variant, p);
	end = cpu_us();
	for (i = 0; i < n; i++) {
		X509_free(p[i].leaf);
		sk_X509_pop_free(p[i].sent, X509_free);
	}
	free(p);
	return (end - begin) / (double)n;
}

/* An engine that knows the CA (leaf 0 was seen) and no other leaf. */
static struct certauth *
fresh_engine(const struct chain *c)
{
	struct certauth	*e = open_engine(c->conf);
	struct parsed	 p = parse_one(c, 0, false);

	ask(e, p.leaf, p.sent, CERTAUTH_OK);
	X509_free(p.leaf);
	sk_X509_pop_free(p.sent, X509_free);
	return e;
}

static void
one_round(struct run *r, int only)
{
	static const enum variant order[] = {
		SIGNATURE, STOCK, COLD, WARM, COLD_ALONE
	};
	size_t	i, all = r->to;
	double	us;

	for (i = 0; i < VARIANTS; i++) {
		if (only >= 0 && (int)order[i] != only && !(only == WARM &&
		    order[i] == COLD))
			continue;
		if (order[i] == COLD || order[i] == COLD_ALONE) {
			certauth_free(r->engine);
			r->engine = fresh_engine(r->chain);
		}
		/* as many as are surely all remembered */
		if (order[i] == WARM) {
			r->to = r->from + 64 < all ? r->from + 64 : all;
			(void)measure(r, WARM);
		}
		us = measure(r, order[i]);
		r->to = all;
		sample("us", us, "core %s %s", r->chain->kind, names[order[i]]);
	}
}

/* ------------------------------------------------------------------ threads */

static pthread_barrier_t	barrier;

static void *
thread(void *arg)
{
	struct run	*r = arg;
	size_t		 i, n = r->to - r->from;
	struct parsed	*p = calloc(n + 1, sizeof(*p));

	must(p != NULL);
	for (i = 0; i < n; i++)
		p[i] = parse_one(r->chain, r->from + i, false);
	pthread_barrier_wait(&barrier);
	timed(r, COLD, p);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < n; i++) {
		X509_free(p[i].leaf);
		sk_X509_pop_free(p[i].sent, X509_free);
	}
	free(p);
	return NULL;
}

/* One processor each: for so short a run the scheduler may leave both on one. */
static void
place_thread(pthread_t id, size_t i)
{
	cpu_set_t	allowed, one;
	size_t		cpu;

	must(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	i %= (size_t)CPU_COUNT(&allowed);
	for (cpu = 0; !CPU_ISSET(cpu, &allowed) || i-- > 0; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	must(pthread_setaffinity_np(id, sizeof(one), &one) == 0);
}

/* The leaves in equal parts; verifies per second of wall time. */
static void
threads(struct run *r, size_t count)
{
	struct run	part[8];
	pthread_t	id[8];
	double		begin, end, cpu;
	size_t		i, n = (r->to - r->from) / count;

	certauth_free(r->engine);
	r->engine = fresh_engine(r->chain);
	must(pthread_barrier_init(&barrier, NULL, (unsigned)count + 1) == 0);
	for (i = 0; i < count; i++) {
		part[i] = *r;
		part[i].from = r->from + i * n;
		part[i].to = part[i].from + n;
		must(pthread_create(&id[i], NULL, thread, &part[i]) == 0);
		place_thread(id[i], i);
	}
	pthread_barrier_wait(&barrier);
	begin = wall_us();
	cpu = process_cpu_us();
	pthread_barrier_wait(&barrier);
	end = wall_us();
	cpu = process_cpu_us() - cpu;
	for (i = 0; i < count; i++)
		must(pthread_join(id[i], NULL) == 0);
	pthread_barrier_destroy(&barrier);
	sample("1/s", (double)(n * count) * 1e6 / (end - begin),
	    "core %s threads-%zu", r->chain->kind, count);
	sample("us", cpu / (double)(n * count), "core %s threads-%zu-cpu",
	    r->chain->kind, count);
}

int
main(int argc, char **argv)
{
	struct chain	 chain;
	struct run	 run;
	const char	*kind = "P-256";
	size_t		 n = 256, rounds = 7, i;
	bool		 in_threads = false;
	int		 only = -1, c;

	while ((c = getopt(argc, argv, "r:n:k:o:t")) != -1)
		switch (c) {
		case 't': in_threads = true; break;
		case 'r': rounds = strtoul(optarg, NULL, 10); break;
		case 'n': n = strtoul(optarg, NULL, 10); break;
		case 'k': kind = optarg; break;
		case 'o':
			for (only = 0; only < VARIANTS &&
			    strcmp(names[only], optarg) != 0; only++)
				;
			break;
		default: return 2;
		}
	chain_make(&chain, kind, n + 1);
	chain_write(&chain, "check = \"none\";");
	run = (struct run){ .chain = &chain, .store = stock_store(chain.root),
	    .from = 1, .to = n + 1 };
	for (i = 0; i < rounds; i++) {
		if (in_threads) {
			threads(&run, 1);
			threads(&run, 2);
		} else {
			one_round(&run, only);
		}
	}
	certauth_free(run.engine);
	X509_STORE_free(run.store);
	return 0;
}
