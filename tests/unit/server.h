/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server inside a unit test: 127.0.0.1, any port, a thread for each connection, answers by a script. Included
 * by tests only, once per program, after unit.h. */
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pthread.h>

enum { MAX_CONNECTIONS = 16, MAX_REQUESTS = 64, MAX_REQUEST = 2 * 1024 * 1024 };

typedef enum { KEEP, CLOSE, DROP, HANG } then_t;

/* What the server does with the n-th request; the last row repeats. DROP closes without an answer, HANG waits for the
 * client to go. */
typedef struct {
    then_t then;
    const char *text;
} answer_t;

typedef struct {
    int listener;
    int port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    const answer_t *answers;
    int answer_count;
    int connections;
    int fds[MAX_CONNECTIONS];
    pthread_t threads[MAX_CONNECTIONS];
    int requests;
    char *received[MAX_REQUESTS];
} server_t;

typedef struct {
    server_t *server;
    int fd;
} connection_t;

/* One request with its body; false at the end of the connection. A TLS greeting counts as a request. */
static bool request_read(int fd, char *text)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, MAX_REQUEST - 1 - len, 0);
        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        text[len] = '\0';
        const char *head_end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        size_t body_len = length ? strtoul(length + 16, NULL, 10) : 0;
        if (text[0] == 0x16 || (head_end && len >= (size_t)(head_end + 4 - text) + body_len)) {
            return true;
        }
    }
}

static const answer_t *request_note(server_t *server, const char *text)
{
    pthread_mutex_lock(&server->lock);
    int n = server->requests < MAX_REQUESTS ? server->requests : MAX_REQUESTS - 1;
    free(server->received[n]);
    server->received[n] = strdup(text);
    server->requests++;
    const answer_t *answer = &server->answers[n < server->answer_count ? n : server->answer_count - 1];
    pthread_mutex_unlock(&server->lock);
    return answer;
}

static void *connection_run(void *baton)
{
    connection_t *connection = baton;
    int fd = connection->fd;
    char *text = malloc(MAX_REQUEST);
    then_t then = KEEP;
    while (text && then == KEEP && request_read(fd, text)) {
        const answer_t *answer = request_note(connection->server, text);
        then = answer->then;
        if (then == HANG) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            poll(&wait, 1, -1);
        } else if (then != DROP && send(fd, answer->text, strlen(answer->text), MSG_NOSIGNAL) < 0) {
            then = CLOSE;
        }
    }
    shutdown(fd, SHUT_RDWR); /* closed by server_stop, so that the number is not used again before */
    free(text);
    free(connection);
    return NULL;
}

static void *acceptor_run(void *baton)
{
    server_t *server = baton;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&server->lock);
        connection_t *connection = malloc(sizeof(*connection));
        if (connection && server->connections < MAX_CONNECTIONS) {
            *connection = (connection_t){server, fd};
            server->fds[server->connections] = fd;
            pthread_create(&server->threads[server->connections++], NULL, connection_run, connection);
        } else {
            free(connection);
            close(fd);
        }
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static apr_status_t server_stop(void *baton)
{
    server_t *server = baton;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    for (int i = 0; i < server->connections; i++) {
        shutdown(server->fds[i], SHUT_RDWR);
        pthread_join(server->threads[i], NULL);
        close(server->fds[i]);
    }
    for (int i = 0; i < MAX_REQUESTS; i++) {
        free(server->received[i]);
    }
    pthread_mutex_destroy(&server->lock);
    return APR_SUCCESS;
}

/* Runs until the test's pool is cleaned. */
static server_t *server_start_with(const answer_t *answers, int count)
{
    server_t *server = apr_pcalloc(unit_pool, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    server->answers = answers;
    server->answer_count = count;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->acceptor, NULL, acceptor_run, server), 0);
    apr_pool_cleanup_register(unit_pool, server, server_stop, apr_pool_cleanup_null);
    return server;
}
#define server_start(answers) server_start_with((answers), (int)(sizeof(answers) / sizeof((answers)[0])))

static int server_requests(server_t *server)
{
    pthread_mutex_lock(&server->lock);
    int requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}

static int server_connections(server_t *server)
{
    pthread_mutex_lock(&server->lock);
    int connections = server->connections;
    pthread_mutex_unlock(&server->lock);
    return connections;
}

/* The text of the n-th request. */
static const char *server_received(server_t *server, int n)
{
    pthread_mutex_lock(&server->lock);
    const char *text = n < server->requests ? apr_pstrdup(unit_pool, server->received[n]) : NULL;
    pthread_mutex_unlock(&server->lock);
    assert_non_null(text);
    return text;
}
