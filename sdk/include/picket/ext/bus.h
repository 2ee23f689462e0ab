/*
 * "picket.bus/1": how plugins talk with each other and with the host.
 *
 * Topics are dotted names (`picket.component.active`, `com.vendor.thing`), at most 127 bytes. A topic is of one kind:
 *  - state: the latest message per key is kept and handed to whoever subscribes later, also when its publisher has ended. When a
 *    policy takes the topic away from its publisher, the value is gone: subscribers get its key with an empty payload and content type;
 *  - event: delivered to all subscribers, never lost silently: the publisher gets PICKET_E_BUSY when a subscriber's
 *    queue is full, or, across processes, the loss is counted and told (on_loss);
 *  - request: one question, one answer, before a deadline; the answer may begin with a stream of bytes.
 * The manifest lists what a plugin may publish (with the kind), subscribe, answer and ask; all else is PICKET_E_DENIED.
 * Filters of `subscribe` are a topic, or a prefix that ends in ".*" (any further parts); no plugin may subscribe to "*".
 *
 * Most topics that begin with "picket." have an owner. What picketd itself answers or publishes is no plugin's, however it is signed and wherever it
 * runs; `picket.component.activate` is asked by its update engine alone. What Picket's own plugins say (`picket.ksn.*`, `picket.scan.*`,
 * `picket.distribution_point.*`, `picket.update.variant`) is theirs (ids `org.picket.*`), and of those that the administrator names as `stand-in`.
 * Anybody may answer `picket.source.*`, `picket.component.activate` and `picket.task.type.NAME` for himself, publish `picket.source.appeared` and
 * `picket.device.concern`, and ask and hear what neither changes the computer nor reveals a secret. A manifest that lists more is refused with the
 * topic's name; a wildcard in `asks` does not reach it: PICKET_E_DENIED.
 *
 * A payload is at most PICKET_BUS_MAX_PAYLOAD bytes; larger things are streams. A stream flows on credit: the producer may
 * write at most as many bytes as the consumer granted, in chunks of at most PICKET_BUS_MAX_PAYLOAD.
 *
 * content_type says what the payload is: "application/x-protobuf; messageType=picket.scan.v1.ScanRequest",
 * "application/json", or empty for none. An answer with a negative status has the error's text (UTF-8) as payload.
 */
#ifndef PICKET_EXT_BUS_H
#define PICKET_EXT_BUS_H

#include <picket/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_EXT_BUS "picket.bus/1"
#define PICKET_BUS_MAX_PAYLOAD 131072u
#define PICKET_BUS_MAX_TOPIC 127u
#define PICKET_BUS_MAX_KEY 255u
#define PICKET_BUS_MAX_CONTENT_TYPE 255u

/* Borrowed for the call. */
typedef struct picket_message {
  uint32_t struct_size;
  uint32_t reserved;
  picket_bytes topic;
  picket_bytes key;          /* state topics: which value; else empty */
  picket_bytes content_type;
  picket_bytes sender;       /* set by the host: the plugin's id, "picket.host", or "picketctl" of root or the host's own user, "picketctl@UID" of
                                another one as the kernel says; "#2" and so on behind it when several are connected */
  picket_bytes payload;
  uint32_t timeout_ms;       /* requests: what is left until the deadline; else 0 */
  uint32_t reserved2;
} picket_message;

/* Host's table. All [any-thread], none blocks. */
typedef struct picket_host_bus {
  uint32_t struct_size;
  uint32_t reserved;
  /* State or event. OK: accepted by every subscriber's queue. BUSY: by none of those whose queue is full; nothing was
     delivered to anybody, so publish again later. DENIED: not in the manifest. INVALID: wrong kind, a key for an event, a
     part that is too long. TOO_LARGE: more than 4096 keys of state, or 16 MiB. */
  picket_status (*publish)(const picket_host *host, picket_bytes topic, picket_bytes key, picket_bytes content_type, picket_bytes payload);
  /* From now on on_message is called for these topics; state topics at once with what is kept. */
  picket_status (*subscribe)(const picket_host *host, picket_bytes filter);
  picket_status (*unsubscribe)(const picket_host *host, picket_bytes filter);
  /* Asks. `to` is the answering plugin's id, or empty for the only one. token is the caller's, not in use by another of its
     open requests. initial_credit: bytes of stream the answer may send before more is granted (0: no stream wanted).
     CONFLICT: the token is in use, or several answer and none is named. BUSY: 1024 of its requests are open, or the
     answerer's queue is full. UNAVAILABLE: nobody answers. After OK, on_reply is called exactly once, at the latest shortly after timeout_ms (1..86400000), with
     PICKET_E_TIMEOUT if nobody answered. */
  picket_status (*request)(const picket_host *host, picket_bytes topic, picket_bytes to, picket_bytes content_type, picket_bytes payload,
                           uint32_t timeout_ms, uint64_t token, uint64_t initial_credit);
  /* Lets the answer send so many more bytes of stream. NOT_FOUND: already answered. */
  picket_status (*grant)(const picket_host *host, uint64_t token, uint64_t bytes);
  /* The answer is no longer wanted: on_reply follows with PICKET_E_CANCELLED. NOT_FOUND: already answered. */
  picket_status (*cancel)(const picket_host *host, uint64_t token);
  /* Answers request_id: final. Each request is answered once. NOT_FOUND: cancelled, timed out or answered before. INVALID: a
     part that is too long; nothing was answered, answer again. */
  picket_status (*respond)(const picket_host *host, uint64_t request_id, picket_status status, picket_bytes content_type, picket_bytes payload);
  /* Sends a chunk of the answer's stream. BUSY: not enough credit, wait for on_credit. NOT_FOUND: nobody waits any more, stop. */
  picket_status (*stream_write)(const picket_host *host, uint64_t request_id, picket_bytes chunk);
} picket_host_bus;

/* Plugin's table; members may be NULL. All [plugin-thread, started]. */
typedef struct picket_plugin_bus {
  uint32_t struct_size;
  uint32_t reserved;
  void (*on_message)(picket_plugin *plugin, const picket_message *message);
  /* Answer with respond, now or later, from any thread. */
  void (*on_request)(picket_plugin *plugin, uint64_t request_id, const picket_message *request);
  /* A chunk of the stream that answers request `token`; consumed credit is given back with grant. */
  void (*on_stream)(picket_plugin *plugin, uint64_t token, picket_bytes chunk);
  /* The final answer; token is free again. */
  void (*on_reply)(picket_plugin *plugin, uint64_t token, picket_status status, const picket_message *reply);
  /* The asker granted credit; `bytes` is what may be written now in all. */
  void (*on_credit)(picket_plugin *plugin, uint64_t request_id, uint64_t bytes);
  /* The asker gave up or the deadline passed: stop working on it. */
  void (*on_cancel)(picket_plugin *plugin, uint64_t request_id);
  /* So many messages of a topic that this plugin published were not delivered since it was last told. */
  void (*on_loss)(picket_plugin *plugin, picket_bytes topic, uint64_t count);
} picket_plugin_bus;

#ifdef __cplusplus
}
#endif
#endif
