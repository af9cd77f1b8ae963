/* SPDX-License-Identifier: Apache-2.0 */
/* Indexed comparisons become SQL, the rest of a filter is asked of each document. The rows come in chunks, each a read
 * of its own, so that a long list holds neither memory nor the database. */
#include "directory/listing.h"

#include <string.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "directory/cursor.h"
#include "directory/match.h"
#include "directory/rows.h"

#define CHUNK 200
/* Members or groups that one page prints. */
#define LINKS_AT_MOST 20000

/* A narrowed statement with its arguments. All text of it is ours. */
typedef struct {
    const char *where;
    const char *name; /* of the set of conditions */
    const char *args[SSO_INDEX_GROUP + 8];
    int count;
    unsigned decided; /* bits of the indexes whose terms are all in it */
    bool whole;       /* nothing of the filter is left to be asked */
} narrow_t;

static const struct {
    const char *sql;
    char letter;
} CONDITIONS[] = {
    [SSO_INDEX_ID] = {"id = %s", 'i'},
    [SSO_INDEX_EXTERNAL_ID] = {"external_id = %s", 'x'},
    [SSO_INDEX_USER_NAME] = {"user_key = %s", 'u'},
    [SSO_INDEX_DISPLAY_NAME] = {"display_key = %s", 'd'},
    [SSO_INDEX_WORK_EMAIL] = {"email = %s", 'e'},
    [SSO_INDEX_MANAGER] = {"manager = %s", 'm'},
    [SSO_INDEX_MEMBER] = {"id IN (SELECT group_id FROM entra_scim_member WHERE member_id = %s)", 'o'},
    [SSO_INDEX_GROUP] = {"id IN (SELECT member_id FROM entra_scim_member WHERE group_id = %s)", 'g'},
};

static int operands(const sso_filter_t *filter)
{
    int count = 0;
    for (const sso_filter_t *at = filter->kind == SSO_FILTER_AND ? filter->first : NULL; at != NULL; at = at->next) {
        count++;
    }
    return count == 0 ? 1 : count;
}

/* The first comparison of each index; a second one of the same is asked of the document. */
static void narrow_fill(apr_pool_t *pool, const char *app, const sso_filter_t *filter, narrow_t *narrow)
{
    unsigned twice = 0;
    int used = 0;
    memset(narrow, 0, sizeof(*narrow));
    narrow->where = "app = %s";
    narrow->name = "";
    narrow->args[narrow->count++] = app;
    narrow->whole = filter == NULL;
    const apr_array_header_t *terms =
        filter == NULL ? apr_array_make(pool, 1, sizeof(sso_index_term_t)) : sso_filter_index(pool, filter);
    for (int i = 0; i < terms->nelts; i++) {
        const sso_index_term_t *term = &APR_ARRAY_IDX(terms, i, sso_index_term_t);
        if ((narrow->decided & SSO_INDEX_BIT(term->index)) != 0) {
            twice |= SSO_INDEX_BIT(term->index);
            continue;
        }
        narrow->decided |= SSO_INDEX_BIT(term->index);
        narrow->where = apr_pstrcat(pool, narrow->where, " AND ", CONDITIONS[term->index].sql, NULL);
        narrow->name = apr_psprintf(pool, "%s%c", narrow->name, CONDITIONS[term->index].letter);
        narrow->args[narrow->count++] = term->key;
        used++;
    }
    narrow->decided &= ~twice;
    narrow->whole = narrow->whole || (twice == 0 && used == operands(filter));
}

/* ---- statements ---- */

/* SQLite prefers the index of an ORDER BY with a LIMIT to one that finds the single row: where a condition narrows, the
 * order is an expression, which no index has. */
static const char *list_sql(apr_pool_t *pool, sso_scim_kind_t kind, const narrow_t *narrow, bool after)
{
    const char *created = *narrow->name == '\0' ? "created" : "created + 0";
    return apr_pstrcat(pool, "SELECT ", sso_scim_columns(kind), " FROM ", sso_scim_table(kind), " WHERE ",
                       narrow->where, after ? " AND (" : "", after ? created : "",
                       after ? ", id) > (CAST(%s AS BIGINT), CAST(%s AS VARCHAR(36)))" : "", " ORDER BY ", created,
                       ", id LIMIT CAST(%s AS BIGINT) OFFSET CAST(%s AS BIGINT)", NULL);
}

const char *sso_listing_sql(apr_pool_t *pool, const sso_listing_t *listing)
{
    narrow_t narrow;
    narrow_fill(pool, "", listing->filter, &narrow);
    return list_sql(pool, listing->kind, &narrow, listing->by_cursor);
}

typedef struct {
    const sso_listing_t *listing;
    const narrow_t *narrow;
    const char *app;
    const sso_cursor_t *after; /* NULL: from the beginning */
    apr_int64_t offset;
    apr_int64_t limit;
    bool links;               /* read members or groups, too */
    bool cut;                 /* these were so many that the last rows were left out again */
    apr_pool_t *pool;         /* for rows and links */
    apr_array_header_t *rows; /* sso_scim_row_t */
    apr_array_header_t *row_links;
    apr_int64_t total;
} chunk_t;

static sso_rc chunk_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    chunk_t *chunk = baton;
    sso_scim_row_t row;
    sso_rc rc = sso_scim_row_parse(ctx, chunk->pool, columns, &row);
    if (rc == SSO_OK) {
        APR_ARRAY_PUSH(chunk->rows, sso_scim_row_t) = row;
    }
    return rc;
}

static const char *number_text(apr_pool_t *pool, apr_int64_t number)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
}

static sso_rc chunk_links(sso_ctx_t *ctx, sso_connection_t *connection, chunk_t *chunk)
{
    apr_int64_t sum = 0;
    for (int i = 0; i < chunk->rows->nelts; i++) {
        const char *id = APR_ARRAY_IDX(chunk->rows, i, sso_scim_row_t).id;
        if (sum > LINKS_AT_MOST) {
            chunk->rows->nelts = i;
            chunk->cut = true;
            break;
        }
        apr_array_header_t *links = apr_array_make(chunk->pool, 4, sizeof(sso_resource_link_t));
        sso_rc rc = sso_members_links(ctx, connection, chunk->listing->kind, chunk->app, id, links);
        if (rc != SSO_OK) {
            return rc;
        }
        APR_ARRAY_PUSH(chunk->row_links, apr_array_header_t *) = links;
        sum += links->nelts;
    }
    return SSO_OK;
}

static sso_rc chunk_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    chunk_t *chunk = baton;
    sso_scim_kind_t kind = chunk->listing->kind;
    const sso_statement_t list = {
        apr_psprintf(chunk->pool, "%s_list%s_%s", sso_scim_table(kind), chunk->after == NULL ? "" : "_after",
                     chunk->narrow->name),
        list_sql(chunk->pool, kind, chunk->narrow, chunk->after != NULL),
    };
    const char *args[SSO_INDEX_GROUP + 12];
    int count = chunk->narrow->count;
    memcpy(args, chunk->narrow->args, sizeof(*args) * (size_t)count);
    if (chunk->after != NULL) {
        args[count++] = number_text(chunk->pool, chunk->after->created);
        args[count++] = chunk->after->id;
    }
    args[count++] = number_text(chunk->pool, chunk->limit);
    args[count] = number_text(chunk->pool, chunk->offset);
    apr_array_clear(chunk->rows);
    apr_array_clear(chunk->row_links);
    chunk->cut = false;
    sso_rc rc = sso_connection_select(ctx, connection, &list, args, chunk_row, chunk);
    return rc == SSO_OK && chunk->links ? chunk_links(ctx, connection, chunk) : rc;
}

static sso_rc total_row(sso_ctx_t *ctx, const char *const *columns, void *baton)
{
    int64_t total;
    if (!sso_integer_parse(columns[0], &total)) {
        return sso_fail(ctx, SSO_R_STORE_ROW, "a count");
    }
    *(apr_int64_t *)baton = total;
    return SSO_OK;
}

static sso_rc total_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    chunk_t *chunk = baton;
    const char *table = sso_scim_table(chunk->listing->kind);
    const sso_statement_t count = {
        apr_pstrcat(ctx->pool, table, "_count_", chunk->narrow->name, NULL),
        apr_pstrcat(ctx->pool, "SELECT COUNT(*) FROM ", table, " WHERE ", chunk->narrow->where, NULL)};
    return sso_connection_select(ctx, connection, &count, chunk->narrow->args, total_row, &chunk->total);
}

/* ---- pages ---- */

typedef struct {
    sso_ctx_t *ctx;
    const sso_scim_t *scim;
    const sso_listing_t *listing;
    sso_listed_t *listed;
    narrow_t narrow;
    bool filter_links; /* the filter asks for members or groups */
    bool shows_links;
    apr_int64_t printed_links;
    bool full;         /* no further resource fits */
    sso_cursor_t last; /* the last one printed */
} page_t;

static sso_json_node_t *print_row(page_t *page, apr_pool_t *pool, const sso_scim_row_t *row,
                                  const apr_array_header_t *links, const sso_projection_t *projection)
{
    const sso_resource_frame_t frame = {row->id,          row->created, row->modified, sso_scim_row_tag(pool, row),
                                        page->scim->base, links};
    return sso_resource_print(pool, page->listing->kind, row->document, &frame, projection);
}

static void page_add(page_t *page, const sso_scim_row_t *row, const apr_array_header_t *links)
{
    apr_int64_t count = page->shows_links && links != NULL ? links->nelts : 0;
    apr_array_header_t *resources = page->listed->resources;
    if (resources->nelts > 0 && page->printed_links + count > LINKS_AT_MOST) {
        page->full = true;
        return;
    }
    page->printed_links += count;
    APR_ARRAY_PUSH(resources, sso_json_node_t *) =
        print_row(page, page->ctx->pool, row, page->shows_links ? links : NULL, page->listing->projection);
    page->last = (sso_cursor_t){row->created, apr_pstrdup(page->ctx->pool, row->id), 0};
    page->full = resources->nelts >= page->listing->count;
}

static sso_rc read_chunk(page_t *page, chunk_t *chunk, bool whole)
{
    chunk->listing = page->listing;
    chunk->narrow = &page->narrow;
    chunk->app = page->scim->app;
    chunk->links = page->filter_links || (whole && page->shows_links);
    chunk->rows = apr_array_make(chunk->pool, 16, sizeof(sso_scim_row_t));
    chunk->row_links = apr_array_make(chunk->pool, 16, sizeof(apr_array_header_t *));
    return sso_database_read(page->ctx, sso_store_database(page->scim->ending.store), chunk_work, chunk);
}

static const apr_array_header_t *links_at(const chunk_t *chunk, int i)
{
    return i < chunk->row_links->nelts ? APR_ARRAY_IDX(chunk->row_links, i, apr_array_header_t *) : NULL;
}

static sso_rc read_total(page_t *page)
{
    chunk_t chunk = {.listing = page->listing, .narrow = &page->narrow};
    sso_rc rc = sso_database_read(page->ctx, sso_store_database(page->scim->ending.store), total_work, &chunk);
    page->listed->total = chunk.total;
    return rc;
}

static sso_rc next_cursor(page_t *page)
{
    return sso_cursor_seal(page->ctx, page->scim, page->listing->digest, &page->last, &page->listed->next_cursor);
}

/* Where SQL decides the whole filter: a count, and the very rows of the page. One more row than the page tells a cursor
 * whether there is another page. */
static sso_rc list_by_index(page_t *page, const sso_cursor_t *after)
{
    const sso_listing_t *listing = page->listing;
    chunk_t chunk = {.after = after,
                     .offset = listing->by_cursor ? 0 : listing->start - 1,
                     .limit = listing->count + 1,
                     .pool = page->ctx->pool};
    sso_rc rc = listing->by_cursor ? SSO_OK : read_total(page);
    if (rc != SSO_OK || listing->count == 0) {
        return rc;
    }
    rc = read_chunk(page, &chunk, true);
    int i = 0;
    for (; rc == SSO_OK && i < chunk.rows->nelts && !page->full; i++) {
        page_add(page, &APR_ARRAY_IDX(chunk.rows, i, sso_scim_row_t), links_at(&chunk, i));
    }
    bool more = rc == SSO_OK && (chunk.cut || page->listed->resources->nelts < chunk.rows->nelts);
    return more && listing->by_cursor ? next_cursor(page) : rc;
}

/* ---- where documents are asked ---- */

/* The members or groups of a row that goes onto the page, when the filter did not need them. */
typedef struct {
    const page_t *page;
    const char *id;
    apr_array_header_t *links;
} linking_t;

static sso_rc links_work(sso_ctx_t *ctx, sso_connection_t *connection, void *baton)
{
    linking_t *linking = baton;
    apr_array_clear(linking->links);
    return sso_members_links(ctx, connection, linking->page->listing->kind, linking->page->scim->app, linking->id,
                             linking->links);
}

static sso_rc add_match(page_t *page, const sso_scim_row_t *row, const apr_array_header_t *links)
{
    linking_t linking = {page, row->id, NULL};
    sso_rc rc = SSO_OK;
    if (page->shows_links && links == NULL) {
        linking.links = apr_array_make(page->ctx->pool, 4, sizeof(sso_resource_link_t));
        rc = sso_database_read(page->ctx, sso_store_database(page->scim->ending.store), links_work, &linking);
        links = linking.links;
    }
    if (rc == SSO_OK) {
        page_add(page, row, links);
    }
    return rc;
}

typedef struct {
    apr_int64_t scanned;
    apr_int64_t matches;
    bool over; /* the page by cursor is full, and there is one more */
    sso_cursor_t at;
} scan_t;

static sso_rc scan_rows(page_t *page, const chunk_t *chunk, apr_pool_t *scratch, scan_t *scan)
{
    const sso_listing_t *listing = page->listing;
    sso_rc rc = SSO_OK;
    for (int i = 0; rc == SSO_OK && i < chunk->rows->nelts && !scan->over; i++) {
        const sso_scim_row_t *row = &APR_ARRAY_IDX(chunk->rows, i, sso_scim_row_t);
        const sso_json_node_t *resource = print_row(page, scratch, row, links_at(chunk, i), NULL);
        if (sso_filter_matches(scratch, listing->filter, sso_json_node_view(resource), page->narrow.decided)) {
            scan->matches++;
            bool wanted = listing->count > 0 && (listing->by_cursor || scan->matches >= listing->start);
            scan->over = wanted && page->full && listing->by_cursor;
            rc = wanted && !page->full ? add_match(page, row, links_at(chunk, i)) : SSO_OK;
        }
        apr_pool_clear(scratch);
    }
    return rc;
}

static sso_rc scan_chunk(page_t *page, const sso_cursor_t *after, apr_pool_t *pool, scan_t *scan, bool *ret_last)
{
    chunk_t chunk = {.after = after, .limit = CHUNK, .pool = pool};
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    sso_rc rc = read_chunk(page, &chunk, false);
    rc = rc == SSO_OK ? scan_rows(page, &chunk, scratch, scan) : rc;
    if (rc == SSO_OK && chunk.rows->nelts > 0) {
        const sso_scim_row_t *last = &APR_ARRAY_IDX(chunk.rows, chunk.rows->nelts - 1, sso_scim_row_t);
        scan->at = (sso_cursor_t){last->created, apr_pstrdup(page->ctx->pool, last->id), 0};
    }
    scan->scanned += chunk.rows->nelts;
    *ret_last = chunk.rows->nelts < CHUNK && !chunk.cut;
    return rc;
}

static sso_rc list_by_scan(page_t *page, const sso_cursor_t *after)
{
    scan_t scan = {0};
    bool last = false;
    apr_pool_t *pool;
    sso_rc rc = SSO_OK;
    apr_pool_create(&pool, page->ctx->pool);
    while (rc == SSO_OK && !last && !scan.over) {
        if (scan.scanned >= SSO_MAX_SCIM_SCAN) {
            rc = sso_fail(page->ctx, SSO_R_SCIM_TOO_MANY, "%d were looked at", SSO_MAX_SCIM_SCAN);
            break;
        }
        rc = scan_chunk(page, scan.scanned == 0 ? after : &scan.at, pool, &scan, &last);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    if (rc == SSO_OK && !page->listing->by_cursor) {
        page->listed->total = scan.matches;
    }
    return rc == SSO_OK && scan.over ? next_cursor(page) : rc;
}

sso_rc sso_listing_make(sso_ctx_t *ctx, const sso_scim_t *scim, const sso_listing_t *listing, sso_listed_t *ret_listed)
{
    const char *attribute = listing->kind == SSO_SCIM_GROUP ? "members" : "groups";
    page_t page = {.ctx = ctx, .scim = scim, .listing = listing, .listed = ret_listed};
    sso_cursor_t cursor;
    bool begins = !listing->by_cursor || *listing->cursor == '\0';
    sso_rc rc = begins ? SSO_OK : sso_cursor_open(ctx, scim, listing->digest, listing->cursor, &cursor);
    if (rc != SSO_OK) {
        return rc;
    }
    ret_listed->resources = apr_array_make(ctx->pool, 16, sizeof(sso_json_node_t *));
    ret_listed->total = -1;
    ret_listed->next_cursor = NULL;
    narrow_fill(ctx->pool, scim->app, listing->filter, &page.narrow);
    page.shows_links = sso_projection_shows(listing->projection, attribute);
    page.filter_links = !page.narrow.whole && sso_filter_uses(listing->filter, attribute);
    return page.narrow.whole ? list_by_index(&page, begins ? NULL : &cursor)
                             : list_by_scan(&page, begins ? NULL : &cursor);
}
