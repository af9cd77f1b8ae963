// SPDX-License-Identifier: Apache-2.0
// Failures in the shape that Entra gives them: an AADSTS number, an OAuth error, a text with trace id, correlation id and time.

// code: [OAuth error, sentence]. {0} and {1} are filled from the details of the failure.
const TABLE = {
  16000: ['interaction_required', "The account '{0}' does not exist in the directory '{1}' and cannot use the application there."],
  28002: ['invalid_request', "The scope '{0}' is not valid when a code is redeemed."],
  28003: ['invalid_request', 'The scope may not be empty when a code is redeemed.'],
  50000: ['server_error', 'The service met an error while it issued a token.'],
  50011: ['invalid_request', "The redirect URI '{0}' of the request is not among the redirect URIs that are registered for the application '{1}'."],
  50012: ['invalid_client', 'The client credential was rejected: {0}'],
  50013: ['invalid_client', 'The assertion is not valid: {0}'],
  50020: ['invalid_request', "The account '{0}' does not exist in the directory '{1}'. It has to be added there as an external user first."],
  50027: ['invalid_client', 'The JWT is not valid: {0}'],
  50032: ['invalid_client', 'The RSA key is weak: 2048 bits are the least.'],
  50034: ['invalid_grant', "The account '{0}' does not exist in the directory."],
  50048: ['invalid_client', "The subject '{1}' of the client assertion differs from its issuer '{0}'."],
  50055: ['invalid_grant', 'The password of the user is expired.'],
  50057: ['invalid_grant', 'The account of the user is disabled.'],
  50058: ['login_required', 'A silent sign-in was asked for, but no single user is signed in.'],
  50076: ['interaction_required', 'A change by the administrator, or a new place, makes multi-factor authentication necessary.'],
  50079: ['interaction_required', 'The user has to set up multi-factor authentication.'],
  50105: ['invalid_grant', "The user '{0}' is not assigned to a role of the application '{1}', which its administrator demands."],
  50133: ['invalid_grant', 'The session is not valid any more: the password expired, or was changed.'],
  50173: ['invalid_grant', 'The grant was revoked; a fresh one is needed. The user may have changed or reset the password, or an administrator ended all sessions.'],
  50194: ['invalid_request', "The application '{0}' is for one tenant only and cannot be used through /common. Use an endpoint of its tenant."],
  50196: ['invalid_grant', 'The client repeats the same request: a loop was found.'],
  53003: ['access_denied', 'Access was blocked by a Conditional Access policy.'],
  54005: ['invalid_grant', 'The authorization code was redeemed already. Retry with a new code, or use a refresh token.'],
  65001: ['consent_required', "The user or the administrator has not consented to the application '{0}' for this scope."],
  65004: ['access_denied', 'The user declined to consent to the application.'],
  70000: ['invalid_grant', 'The grant is not valid: {0}'],
  70001: ['unauthorized_client', "The application '{0}' is disabled or does not exist."],
  70003: ['unsupported_grant_type', "The grant type '{0}' is not supported."],
  70005: ['unsupported_response_type', "The response type '{0}' is not supported for the application."],
  70007: ['invalid_request', "The response mode '{0}' is not supported."],
  70008: ['invalid_grant', 'The authorization code or refresh token is expired. Ask the user to sign in again.'],
  70011: ['invalid_scope', "The scope '{0}' is not valid."],
  70021: ['invalid_client', "No federated identity credential of the application matches the assertion with issuer '{0}'."],
  500011: ['invalid_resource', "The resource '{0}' was not found in the tenant '{1}'."],
  500112: ['invalid_client', "The reply address '{0}' differs from the reply address '{1}' of the authorization request."],
  501481: ['invalid_grant', 'The code_verifier does not match the code_challenge of the authorization request.'],
  501491: ['invalid_request', 'The code_challenge has a wrong size: 43 to 128 characters are allowed.'],
  700003: ['interaction_required', 'The device object was not found in the tenant.'],
  700005: ['invalid_grant', "The authorization code belongs to the tenant path '{0}' and cannot be used at '{1}'."],
  700016: ['unauthorized_client', "The application '{0}' was not found in the directory '{1}'."],
  700021: ['invalid_client', "The client assertion is for the application '{0}', the request is from '{1}'."],
  700022: ['invalid_scope', 'The scope names several resources: {0}.'],
  700023: ['invalid_client', "The audience '{0}' of the client assertion is not the token endpoint. Expected: '{1}'."],
  700024: ['invalid_client', 'The client assertion is not within its valid time range. Now: {0}, valid: {1}.'],
  700025: ['invalid_client', 'The client is public: neither client_assertion nor client_secret may be sent.'],
  700027: ['invalid_client', 'The signature of the client assertion could not be verified: {0}'],
  700054: ['unsupported_response_type', "The response type 'id_token' is not enabled for the application."],
  700082: ['invalid_grant', 'The refresh token expired because it was not used for 90 days.'],
  700084: ['invalid_grant', 'The refresh token of a single-page application ended after its fixed 24 hours.'],
  700211: ['invalid_client', "No federated identity credential has the issuer '{0}' of the assertion."],
  700212: ['invalid_client', "No federated identity credential has the audience '{0}' of the assertion."],
  700213: ['invalid_client', "No federated identity credential has the subject '{0}' of the assertion."],
  700229: ['invalid_client', 'Only app-only tokens can be used as a federated identity credential of a Microsoft Entra issuer.'],
  7000112: ['unauthorized_client', "The application '{0}' is disabled."],
  7000215: ['invalid_client', "The client secret is wrong. Send the value of the secret of the application '{0}', not its id."],
  7000218: ['invalid_client', "The request body must contain 'client_assertion' or 'client_secret'."],
  7000222: ['invalid_client', "The credentials of the application '{0}' are expired."],
  900144: ['invalid_request', "The request must contain the parameter '{0}'."],
  900561: ['invalid_request', 'The endpoint accepts {0} requests only. Received a {1} request.'],
  900971: ['invalid_request', 'No reply address was given.'],
  901002: ['invalid_request', "The parameter 'resource' is not supported."],
  9001023: ['invalid_request', "The grant type '{0}' is not supported over /common, /organizations or /consumers."],
  9002313: ['invalid_request', 'The request is malformed or not valid: {0}'],
  9002325: ['invalid_request', 'Proof Key for Code Exchange is required for this redirect URI.'],
  9002326: ['invalid_request', 'A cross-origin redemption of a token is possible for single-page applications only.'],
  9002327: ['invalid_request', 'Tokens of a single-page application may only be redeemed by cross-origin requests.'],
  9002332: ['invalid_request', "The application '{0}' is for organizations only and cannot be used through /consumers."],
  90002: ['invalid_request', "The tenant '{0}' was not found. Check the tenant id, and that the right cloud is used."],
  90014: ['invalid_request', "The required field '{0}' is missing."],
  90015: ['invalid_request', 'The query string is too long.'],
  90023: ['invalid_request', 'The request is not valid: {0}'],
};

export const knownCodes = Object.keys(TABLE).map(Number);

/** A failure with an AADSTS number. `more`: suberror, claims, error, status, detail values in order. */
export class EntraError extends Error {
  constructor(code, details = [], more = {}) {
    const [error, sentence] = TABLE[code] ?? ['invalid_request', 'The request was refused.'];
    super(sentence.replace(/\{(\d)\}/g, (_, i) => String(details[i] ?? '')));
    this.code = code;
    this.error = more.error ?? error;
    this.suberror = more.suberror;
    this.claims = more.claims;
    // Further members of the JSON, such as password_change_url.
    this.members = more.members;
    this.status = more.status ?? (this.error === 'invalid_client' ? 401 : 400);
  }
}

export const timestampOf = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`;

/** The text for people: sentence and the three identifiers, on lines of their own. */
export function describeError(ctx, error) {
  return [
    `AADSTS${error.code}: ${error.message}`,
    `Trace ID: ${ctx.traceId}`,
    `Correlation ID: ${ctx.correlationId}`,
    `Timestamp: ${timestampOf(ctx.emu.now())}`,
  ].join('\r\n');
}

export function errorJson(ctx, error) {
  const body = {
    error: error.error,
    error_description: describeError(ctx, error),
    error_codes: [error.code],
    timestamp: timestampOf(ctx.emu.now()),
    trace_id: ctx.traceId,
    correlation_id: ctx.correlationId,
    error_uri: `${ctx.emu.base}/error?code=${error.code}`,
  };
  if (error.suberror) body.suberror = error.suberror;
  if (error.claims) body.claims = error.claims;
  return { ...body, ...error.members };
}

export function sentenceOf(code) {
  return TABLE[code]?.[1];
}
