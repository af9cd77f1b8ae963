/* SPDX-License-Identifier: Apache-2.0 */
/* Documents about the service. No list of attributes stands here; no value is ever null, which Entra refuses. */
#include "directory/schemas.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/limits.h"

#define URN_SCHEMA SSO_SCIM_CORE "Schema"
#define URN_RESOURCE_TYPE SSO_SCIM_CORE "ResourceType"
#define URN_SERVICE SSO_SCIM_CORE "ServiceProviderConfig"
#define URN_LIST "urn:ietf:params:scim:api:messages:2.0:ListResponse"
#define URN_ERROR "urn:ietf:params:scim:api:messages:2.0:Error"

static sso_json_node_t *begin(apr_pool_t *pool, const char *urn)
{
    sso_json_node_t *document = sso_json_node_object(pool);
    sso_json_node_append_text(pool, sso_json_node_set_array(pool, document, "schemas"), urn);
    return document;
}

static void set_meta(apr_pool_t *pool, sso_json_node_t *document, const char *type, const char *location)
{
    sso_json_node_t *meta = sso_json_node_set_object(pool, document, "meta");
    sso_json_node_set_text(pool, meta, "resourceType", type);
    sso_json_node_set_text(pool, meta, "location", location);
}

/* ---- lists ---- */

sso_json_node_t *sso_list_begin(apr_pool_t *pool, const sso_list_frame_t *frame)
{
    sso_json_node_t *list = begin(pool, URN_LIST);
    if (frame->total >= 0) {
        sso_json_node_set_integer(pool, list, "totalResults", frame->total);
    }
    if (frame->start >= 1) {
        sso_json_node_set_integer(pool, list, "startIndex", frame->start);
    }
    sso_json_node_set_integer(pool, list, "itemsPerPage", 0);
    sso_json_node_set_text(pool, list, "nextCursor", frame->next_cursor);
    sso_json_node_set_text(pool, list, "previousCursor", frame->previous_cursor);
    sso_json_node_set_array(pool, list, "Resources");
    return list;
}

void sso_list_add(apr_pool_t *pool, sso_json_node_t *list, const sso_json_node_t *resource)
{
    sso_json_node_append(pool, sso_json_node_get(list, "Resources"), sso_json_node_view(resource));
}

void sso_list_end(apr_pool_t *pool, sso_json_node_t *list)
{
    apr_size_t count = sso_json_size(sso_json_get(sso_json_node_view(list), "Resources"));
    sso_json_node_set_integer(pool, list, "itemsPerPage", (int64_t)count);
}

/* A whole list on one page: what discovery answers. */
static sso_json_node_t *list_all(apr_pool_t *pool, sso_json_node_t *const *items, apr_size_t count)
{
    sso_list_frame_t frame = {(apr_int64_t)count, 1, NULL, NULL};
    sso_json_node_t *list = sso_list_begin(pool, &frame);
    for (apr_size_t i = 0; i < count; i++) {
        sso_list_add(pool, list, items[i]);
    }
    sso_list_end(pool, list);
    return list;
}

/* ---- schemas ---- */

static const char *type_text(sso_attribute_type_t type)
{
    static const char *const texts[] = {
        [SSO_TYPE_STRING] = "string",       [SSO_TYPE_BOOLEAN] = "boolean", [SSO_TYPE_DATETIME] = "dateTime",
        [SSO_TYPE_REFERENCE] = "reference", [SSO_TYPE_BINARY] = "binary",   [SSO_TYPE_COMPLEX] = "complex"};
    return texts[type];
}

/* What a reference may lead to: a resource of ours, else something outside. */
static void print_reference_types(apr_pool_t *pool, const sso_attribute_t *row, sso_json_node_t *attribute)
{
    sso_json_node_t *types = sso_json_node_set_array(pool, attribute, "referenceTypes");
    if (strcmp(row->name, "$ref") != 0) {
        sso_json_node_append_text(pool, types, "external");
        return;
    }
    if (strcmp(row->parent, "groups") != 0) {
        sso_json_node_append_text(pool, types, "User");
    }
    if (strcmp(row->parent, "manager") != 0) {
        sso_json_node_append_text(pool, types, "Group");
    }
}

static void print_attribute(apr_pool_t *pool, const sso_attribute_t *row, sso_json_node_t *attribute)
{
    static const char *const mutability[] = {[SSO_MUTABILITY_READWRITE] = "readWrite",
                                             [SSO_MUTABILITY_READONLY] = "readOnly",
                                             [SSO_MUTABILITY_WRITEONLY] = "writeOnly"};
    static const char *const returned[] = {
        [SSO_RETURNED_DEFAULT] = "default", [SSO_RETURNED_ALWAYS] = "always", [SSO_RETURNED_NEVER] = "never"};
    sso_json_node_set_text(pool, attribute, "name", row->name);
    sso_json_node_set_text(pool, attribute, "type", type_text(row->type));
    sso_json_node_set_bool(pool, attribute, "multiValued", row->plural);
    sso_json_node_set_text(pool, attribute, "description", row->description);
    sso_json_node_set_bool(pool, attribute, "required", row->required);
    sso_json_node_set_bool(pool, attribute, "caseExact", row->case_exact);
    sso_json_node_set_text(pool, attribute, "mutability", mutability[row->mutability]);
    sso_json_node_set_text(pool, attribute, "returned", returned[row->returned]);
    sso_json_node_set_text(pool, attribute, "uniqueness", row->uniqueness == SSO_UNIQUENESS_SERVER ? "server" : "none");
    if (row->type == SSO_TYPE_REFERENCE) {
        print_reference_types(pool, row, attribute);
    }
}

static void print_parts(apr_pool_t *pool, const sso_attribute_t *whole, sso_json_node_t *attribute)
{
    sso_json_node_t *parts = sso_json_node_set_array(pool, attribute, "subAttributes");
    const sso_attribute_t *row;
    for (apr_size_t i = 0; (row = sso_attribute_at(i)) != NULL; i++) {
        if (row->schema == whole->schema && row->parent != NULL && strcmp(row->parent, whole->name) == 0) {
            print_attribute(pool, row, sso_json_node_append_object(pool, parts));
        }
    }
}

/* id and externalId belong to every resource and to no schema (RFC 7643 section 3.1), but Entra looks for each mapped
 * attribute in a schema. */
static bool is_of_schema(const sso_attribute_t *row, sso_schema_t schema)
{
    bool mapped = row->schema == SSO_SCHEMA_COMMON && schema != SSO_SCHEMA_ENTERPRISE &&
                  (strcmp(row->name, "id") == 0 || strcmp(row->name, "externalId") == 0);
    return row->parent == NULL && (row->schema == schema || mapped);
}

static sso_json_node_t *begin_schema(apr_pool_t *pool, const sso_scim_service_t *service, const char *urn,
                                     const char *name, const char *description)
{
    sso_json_node_t *document = begin(pool, URN_SCHEMA);
    sso_json_node_set_text(pool, document, "id", urn);
    sso_json_node_set_text(pool, document, "name", name);
    sso_json_node_set_text(pool, document, "description", description);
    set_meta(pool, document, "Schema", apr_pstrcat(pool, service->base, "/Schemas/", urn, NULL));
    return document;
}

static const struct {
    sso_schema_t schema;
    const char *urn, *name, *description; /* Microsoft's own tests look for "User Account" */
} SCHEMAS[] = {
    {SSO_SCHEMA_USER, SSO_SCIM_URN_USER, "User", "User Account"},
    {SSO_SCHEMA_GROUP, SSO_SCIM_URN_GROUP, "Group", "Group"},
    {SSO_SCHEMA_ENTERPRISE, SSO_SCIM_URN_ENTERPRISE, "EnterpriseUser", "Enterprise User"},
};
#define SCHEMA_COUNT (sizeof(SCHEMAS) / sizeof(SCHEMAS[0]))

static sso_json_node_t *print_schema(apr_pool_t *pool, const sso_scim_service_t *service, apr_size_t index)
{
    sso_json_node_t *document =
        begin_schema(pool, service, SCHEMAS[index].urn, SCHEMAS[index].name, SCHEMAS[index].description);
    sso_json_node_t *attributes = sso_json_node_set_array(pool, document, "attributes");
    const sso_attribute_t *row;
    for (apr_size_t i = 0; (row = sso_attribute_at(i)) != NULL; i++) {
        if (!is_of_schema(row, SCHEMAS[index].schema)) {
            continue;
        }
        sso_json_node_t *attribute = sso_json_node_append_object(pool, attributes);
        print_attribute(pool, row, attribute);
        if (row->type == SSO_TYPE_COMPLEX) {
            print_parts(pool, row, attribute);
        }
    }
    return document;
}

static sso_json_node_t *print_extension(apr_pool_t *pool, const sso_scim_service_t *service,
                                        const sso_scim_extension_t *extension)
{
    sso_json_node_t *document = begin_schema(pool, service, extension->urn, extension->urn, "Extension");
    sso_json_node_t *attributes = sso_json_node_set_array(pool, document, "attributes");
    for (int i = 0; i < extension->names->nelts; i++) {
        sso_attribute_t row = {.name = APR_ARRAY_IDX(extension->names, i, const char *),
                               .type = SSO_TYPE_STRING,
                               .description = "Kept as it was sent"};
        print_attribute(pool, &row, sso_json_node_append_object(pool, attributes));
    }
    return document;
}

static const sso_scim_extension_t *extension_at(const sso_scim_service_t *service, apr_size_t index)
{
    return &APR_ARRAY_IDX(service->extensions, (int)index, const sso_scim_extension_t);
}

static apr_size_t extension_count(const sso_scim_service_t *service)
{
    return service->extensions == NULL ? 0 : (apr_size_t)service->extensions->nelts;
}

/* Schema at index, those of the configuration behind ours. */
static sso_json_node_t *schema_at(apr_pool_t *pool, const sso_scim_service_t *service, apr_size_t index)
{
    return index < SCHEMA_COUNT ? print_schema(pool, service, index)
                                : print_extension(pool, service, extension_at(service, index - SCHEMA_COUNT));
}

sso_json_node_t *sso_schemas_list(apr_pool_t *pool, const sso_scim_service_t *service)
{
    apr_size_t count = SCHEMA_COUNT + extension_count(service);
    sso_json_node_t **items = apr_palloc(pool, count * sizeof(*items));
    for (apr_size_t i = 0; i < count; i++) {
        items[i] = schema_at(pool, service, i);
    }
    return list_all(pool, items, count);
}

sso_json_node_t *sso_schemas_get(apr_pool_t *pool, const sso_scim_service_t *service, const char *urn)
{
    for (apr_size_t i = 0; i < SCHEMA_COUNT + extension_count(service); i++) {
        const char *candidate = i < SCHEMA_COUNT ? SCHEMAS[i].urn : extension_at(service, i - SCHEMA_COUNT)->urn;
        if (apr_cstr_casecmp(candidate, urn) == 0) {
            return schema_at(pool, service, i);
        }
    }
    return NULL;
}

/* ---- resource types ---- */

static void add_extension(apr_pool_t *pool, sso_json_node_t *extensions, const char *urn)
{
    sso_json_node_t *extension = sso_json_node_append_object(pool, extensions);
    sso_json_node_set_text(pool, extension, "schema", urn);
    sso_json_node_set_bool(pool, extension, "required", false);
}

static sso_json_node_t *print_resource_type(apr_pool_t *pool, const sso_scim_service_t *service, sso_scim_kind_t kind)
{
    bool user = kind == SSO_SCIM_USER;
    const char *name = user ? "User" : "Group";
    sso_json_node_t *document = begin(pool, URN_RESOURCE_TYPE);
    sso_json_node_set_text(pool, document, "id", name);
    sso_json_node_set_text(pool, document, "name", name);
    sso_json_node_set_text(pool, document, "endpoint", user ? "/Users" : "/Groups");
    sso_json_node_set_text(pool, document, "description", user ? "User Account" : "Group");
    sso_json_node_set_text(pool, document, "schema", sso_attribute_core_urn(kind));
    if (user) {
        sso_json_node_t *extensions = sso_json_node_set_array(pool, document, "schemaExtensions");
        add_extension(pool, extensions, SSO_SCIM_URN_ENTERPRISE);
        for (apr_size_t i = 0; i < extension_count(service); i++) {
            add_extension(pool, extensions, extension_at(service, i)->urn);
        }
    }
    set_meta(pool, document, "ResourceType", apr_pstrcat(pool, service->base, "/ResourceTypes/", name, NULL));
    return document;
}

sso_json_node_t *sso_resource_types_list(apr_pool_t *pool, const sso_scim_service_t *service)
{
    sso_json_node_t *items[] = {print_resource_type(pool, service, SSO_SCIM_USER),
                                print_resource_type(pool, service, SSO_SCIM_GROUP)};
    return list_all(pool, items, 2);
}

sso_json_node_t *sso_resource_types_get(apr_pool_t *pool, const sso_scim_service_t *service, const char *name)
{
    if (apr_cstr_casecmp(name, "User") == 0) {
        return print_resource_type(pool, service, SSO_SCIM_USER);
    }
    return apr_cstr_casecmp(name, "Group") == 0 ? print_resource_type(pool, service, SSO_SCIM_GROUP) : NULL;
}

/* ---- the service ---- */

static sso_json_node_t *set_supported(apr_pool_t *pool, sso_json_node_t *document, const char *name, bool supported)
{
    sso_json_node_t *feature = sso_json_node_set_object(pool, document, name);
    sso_json_node_set_bool(pool, feature, "supported", supported);
    return feature;
}

static void print_pagination(apr_pool_t *pool, const sso_scim_service_t *service, sso_json_node_t *document)
{
    sso_json_node_t *pagination = sso_json_node_set_object(pool, document, "pagination");
    sso_json_node_set_bool(pool, pagination, "cursor", true);
    sso_json_node_set_bool(pool, pagination, "index", true);
    sso_json_node_set_text(pool, pagination, "defaultPaginationMethod", "index");
    sso_json_node_set_integer(pool, pagination, "defaultPageSize", service->page);
    sso_json_node_set_integer(pool, pagination, "maxPageSize", service->max_results);
    sso_json_node_set_integer(pool, pagination, "cursorTimeout", service->cursor_s);
}

sso_json_node_t *sso_service_config(apr_pool_t *pool, const sso_scim_service_t *service)
{
    sso_json_node_t *document = begin(pool, URN_SERVICE);
    set_supported(pool, document, "patch", true);
    sso_json_node_t *bulk = set_supported(pool, document, "bulk", true);
    sso_json_node_set_integer(pool, bulk, "maxOperations", SSO_MAX_SCIM_BULK);
    sso_json_node_set_integer(pool, bulk, "maxPayloadSize", SSO_MAX_SCIM_BODY);
    sso_json_node_t *filter = set_supported(pool, document, "filter", true);
    sso_json_node_set_integer(pool, filter, "maxResults", service->max_results);
    set_supported(pool, document, "changePassword", false);
    set_supported(pool, document, "sort", false);
    set_supported(pool, document, "etag", true);
    print_pagination(pool, service, document);
    sso_json_node_t *schemes = sso_json_node_set_array(pool, document, "authenticationSchemes");
    sso_json_node_t *scheme = sso_json_node_append_object(pool, schemes);
    sso_json_node_set_text(pool, scheme, "type", "oauthbearertoken");
    sso_json_node_set_text(pool, scheme, "name", "OAuth Bearer Token");
    sso_json_node_set_text(pool, scheme, "description", "A bearer token in the Authorization header");
    sso_json_node_set_text(pool, scheme, "specUri", "https://www.rfc-editor.org/info/rfc6750");
    sso_json_node_set_bool(pool, scheme, "primary", true);
    set_meta(pool, document, "ServiceProviderConfig", apr_pstrcat(pool, service->base, "/ServiceProviderConfig", NULL));
    return document;
}

/* ---- errors ---- */

static const struct {
    sso_rc rc;
    const char *type;
} TYPES[] = {
    {SSO_R_SCIM_SYNTAX, "invalidSyntax"},  {SSO_R_SCIM_FILTER, "invalidFilter"},
    {SSO_R_SCIM_PATH, "invalidPath"},      {SSO_R_SCIM_TARGET, "noTarget"},
    {SSO_R_SCIM_VALUE, "invalidValue"},    {SSO_R_SCIM_MUTABILITY, "mutability"},
    {SSO_R_SCIM_REQUIRED, "invalidValue"}, {SSO_R_SCIM_PROJECTION, "invalidValue"},
    {SSO_R_SCIM_UNIQUE, "uniqueness"},     {SSO_R_SCIM_QUERY, "invalidValue"},
    {SSO_R_SCIM_CURSOR, "invalidCursor"},  {SSO_R_SCIM_CURSOR_OVER, "expiredCursor"},
    {SSO_R_SCIM_TOO_MANY, "tooMany"},
};

const char *sso_scim_type(sso_rc rc)
{
    for (apr_size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (TYPES[i].rc == rc) {
            return TYPES[i].type;
        }
    }
    return NULL;
}

/* SECURITY: only the details of this layer's own reasons go out: they quote the client's own words, cut and escaped.
 * Others may name files, statements or hosts. */
static bool is_for_clients(const sso_reason_t *reason)
{
    return reason->number >= sso_reason(SSO_R_SCIM_BODY)->number &&
           reason->number <= sso_reason(SSO_R_SCIM_PROJECTION)->number;
}

sso_json_node_t *sso_scim_error(apr_pool_t *pool, sso_rc rc, const char *detail)
{
    const sso_reason_t *reason = sso_reason(rc);
    sso_json_node_t *error = begin(pool, URN_ERROR);
    sso_json_node_set_text(pool, error, "status", apr_psprintf(pool, "%d", reason->status));
    sso_json_node_set_text(pool, error, "scimType", sso_scim_type(rc));
    bool told = detail != NULL && is_for_clients(reason);
    sso_json_node_set_text(pool, error, "detail",
                           told ? apr_pstrcat(pool, reason->sentence, ": ", detail, NULL) : reason->sentence);
    return error;
}
