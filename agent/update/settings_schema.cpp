#include "update/settings.hpp"

namespace picket::update {

std::string_view settings_schema_text() {
  return R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Updates",
  "description": "Where updates come from, when they are looked for, and which are taken.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "sources": {
      "description": "Update sources, tried from the top; the first that works is used.",
      "type": "array", "maxItems": 64, "default": [],
      "items": {
        "type": "object", "additionalProperties": false, "required": ["name", "plugin", "location"],
        "properties": {
          "name": {"description": "For people and logs; unique.", "type": "string", "minLength": 1, "maxLength": 100},
          "plugin": {"description": "The plugin that reads it, for example org.picket.source-http.", "type": "string", "minLength": 1, "maxLength": 127},
          "location": {"description": "A folder or an address: what holds metadata/ and targets/.", "type": "string", "minLength": 1, "maxLength": 4096},
          "enabled": {"description": "Off: passed over.", "type": "boolean", "default": true},
          "connect_timeout_seconds": {"description": "For this source in place of the setting for all.", "type": "integer", "minimum": 0, "maximum": 120},
          "stall_timeout_seconds": {"description": "For this source in place of the setting for all.", "type": "integer", "minimum": 1, "maximum": 3600},
          "may_hold_back": {"description": "Whether it is believed that it holds a release back on purpose, as a distribution point does that has not verified it: what is in force then stays, and no other source is asked. Where nothing is said: yes for a distribution point, a folder and a share, which a site runs itself; no for servers, which could so keep releases away.", "type": "boolean"},
          "options": {"description": "What the source's plugin knows, for example a proxy.", "type": "object", "default": {}}
        }
      }
    },
    "interval_minutes": {"description": "How often to look for updates; 0: only by hand.", "type": "integer", "minimum": 0, "maximum": 43200, "default": 120},
    "keep_sets": {"description": "Earlier sets of each component that are kept for rollback.", "type": "integer", "minimum": 1, "maximum": 100, "default": 3},
    "connect_timeout_seconds": {"description": "How long a source may take to answer before the next is tried; 0: as long as stall_timeout_seconds.", "type": "integer", "minimum": 0, "maximum": 120, "default": 10},
    "stall_timeout_seconds": {"description": "A transfer that is slower than min_bytes_per_second for so long is given up.", "type": "integer", "minimum": 1, "maximum": 3600, "default": 30},
    "min_bytes_per_second": {"description": "Slower than this is as good as standing still.", "type": "integer", "minimum": 1, "maximum": 1000000000, "default": 100},
    "rest_after_failure_seconds": {"description": "A source that failed is passed over for so long, unless an update is forced; twice as long after each further failure.", "type": "integer", "minimum": 0, "maximum": 86400, "default": 300},
    "longest_rest_seconds": {"description": "However often a source failed, it is tried again after so long.", "type": "integer", "minimum": 0, "maximum": 604800, "default": 7200},
    "longest_wish_seconds": {"description": "A server that asks to be left alone (Retry-After) is, but no longer than this; 0: it rests as after any failure. Where nothing but resting sources is left, they are tried all the same.", "type": "integer", "minimum": 0, "maximum": 604800, "default": 7200},
    "warning_after_hours": {"description": "Databases published longer ago than this are a warning.", "type": "integer", "minimum": 1, "maximum": 87600, "default": 72},
    "critical_after_hours": {"description": "Databases published longer ago than this are critical; more than warning_after_hours.", "type": "integer", "minimum": 1, "maximum": 87600, "default": 168},
    "verify_stored_hours": {"description": "How often an update also reads the set in force again to see whether it is undamaged; 0: at every update.", "type": "integer", "minimum": 0, "maximum": 8760, "default": 24},
    "confirm_timeout_seconds": {"description": "How long a plugin may take to load a new set before the earlier one comes back.", "type": "integer", "minimum": 1, "maximum": 3600, "default": 60},
    "parallel_downloads": {"description": "How many components are downloaded at the same time, while earlier ones are put in force.", "type": "integer", "minimum": 1, "maximum": 16, "default": 2},
    "deltas": {"description": "Fetch only what changed since the set in force, when the publisher offers that and it is fewer bytes.", "type": "boolean", "default": true},
    "delta_chain": {"description": "How many deltas may be applied one after the other to come to a release.", "type": "integer", "minimum": 1, "maximum": 32, "default": 4},
    "delta_memory_mb": {"description": "Memory that applying a delta may take; one that needs more is passed over for the full file.", "type": "integer", "minimum": 32, "maximum": 4096, "default": 64},
    "tell_servers": {"description": "Tell update servers four things, nothing personal: see picketctl update what-is-sent.", "type": "boolean", "default": true},
    "licence_key_id": {"description": "Id of the licence key that is active, for update servers; not the key.", "type": "string", "maxLength": 64, "default": ""},
    "keep_archives": {"description": "Keep the archives of what is in force, so that copies and exports need no source.", "type": "boolean", "default": false},
    "components": {
      "description": "Components to bring although no plugin asks for them.",
      "type": "array", "maxItems": 1000, "uniqueItems": true, "default": [], "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"}
    },
    "declined": {"description": "Releases that are never installed. One that is in force is left for an earlier one where one is at hand; without one, databases stay, and components of the classes agent and application are removed.", "type": "array", "maxItems": 10000, "default": [], "items": {"$ref": "#/definitions/releases"}},
    "pinned": {"description": "Components that stay at one release, also an earlier one. A pin approves nothing: where approval is needed, the pinned release needs it too, and a declined one is not taken.", "type": "array", "maxItems": 1000, "default": [], "items": {"$ref": "#/definitions/release"}},
    "approved": {"description": "Releases that wait for approval and have it.", "type": "array", "maxItems": 10000, "default": [], "items": {"$ref": "#/definitions/releases"}},
    "approval_needed": {
      "description": "Classes of components whose releases are installed only when approved.",
      "type": "array", "uniqueItems": true, "default": ["application"], "items": {"enum": ["agent", "application"]}
    }
  },
  "definitions": {
    "releases": {
      "type": "object", "additionalProperties": false, "required": ["component"],
      "properties": {
        "component": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
        "release": {"description": "Absent: every release of the component.", "type": "integer", "minimum": 1}
      }
    },
    "release": {
      "type": "object", "additionalProperties": false, "required": ["component", "release"],
      "properties": {
        "component": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
        "release": {"type": "integer", "minimum": 1}
      }
    }
  }
})json";
}

}  // namespace picket::update
