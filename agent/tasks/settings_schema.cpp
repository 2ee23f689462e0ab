#include "tasks/definition.hpp"

namespace picket::tasks {

std::string_view settings_schema_text() {
  return R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Tasks",
  "description": "Named pieces of work, and when they run. The tasks of a policy document are found here too, locked.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "outbreak": {"description": "Automatic tasks run more often. Those that this makes overdue begin within a tenth of their interval (90 s of 15 minutes) or, where a task has one, its random_delay: with thousands of devices a longer one spares the servers.", "type": "boolean", "default": false},
    "at_once": {"description": "How many tasks run at a time; the others wait.", "type": "integer", "minimum": 1, "maximum": 16, "default": 2},
    "tasks": {
      "description": "By id. The task update is built in; what is said of it here replaces its schedule and options.",
      "type": "object", "maxProperties": 256, "default": {},
      "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9][a-z0-9-]*$"},
      "additionalProperties": {
        "type": "object", "additionalProperties": false,
        "properties": {
          "type": {"description": "What it does: update, rollback, or what picketctl task list shows; the task's id when absent.", "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
          "options": {"description": "As its type knows them, at most 40000 bytes. components of a distribution-point are for that download only: what is to stay belongs in the setting components of the point.", "type": "object", "maxProperties": 64},
          "enabled": {"description": "Off: it only runs by hand.", "type": "boolean"},
          "schedule": {
            "description": "When it runs; one of these. None: by hand.",
            "type": "object", "additionalProperties": false, "maxProperties": 1,
            "properties": {
              "every": {"description": "So long after it last began.", "$ref": "#/definitions/duration"},
              "daily": {
                "type": "object", "additionalProperties": false, "required": ["at"],
                "properties": {"at": {"$ref": "#/definitions/time"}, "every_days": {"type": "integer", "minimum": 1, "maximum": 365}}
              },
              "weekly": {
                "type": "object", "additionalProperties": false, "required": ["days", "at"],
                "properties": {
                  "days": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}},
                  "at": {"$ref": "#/definitions/time"}
                }
              },
              "monthly": {
                "type": "object", "additionalProperties": false, "required": ["day", "at"],
                "properties": {
                  "day": {"description": "A day that a month lacks is its last.", "anyOf": [{"type": "integer", "minimum": 1, "maximum": 31}, {"const": "last"}]},
                  "at": {"$ref": "#/definitions/time"}
                }
              },
              "at_start": {"description": "When the agent has started. A task that comes later than that waits for the next start.", "type": "object", "additionalProperties": false, "properties": {"delay": {"$ref": "#/definitions/duration"}}},
              "new_updates": {"description": "When a task of this computer has brought something new. What a distribution point or a server has got is seen at the next check: by interval, schedule or automatic.", "type": "object", "additionalProperties": false, "properties": {"delay": {"$ref": "#/definitions/duration"}}},
              "after": {
                "type": "object", "additionalProperties": false, "required": ["task"],
                "properties": {
                  "task": {"type": "string", "minLength": 1, "maxLength": 64},
                  "on": {"description": "success: only when it ended well.", "enum": ["success", "any"]},
                  "delay": {"$ref": "#/definitions/duration"}
                }
              },
              "automatic": {
                "description": "Every two hours, every 15 minutes in an outbreak, or as said; up to a tenth later, so that not all devices ask at once, or up to random_delay. The built-in update of a computer that lacks databases runs without waiting, up to a tenth of every later, then as in an outbreak, until it has them.",
                "type": "object", "additionalProperties": false,
                "properties": {"every": {"$ref": "#/definitions/duration"}, "outbreak": {"$ref": "#/definitions/duration"}}
              }
            }
          },
          "run_missed": {"description": "A run whose time passed while the computer was off is made up for as soon as possible. Default: true.", "type": "boolean"},
          "random_delay": {"description": "At most so much later; how much is the same for this task on this device every time.", "$ref": "#/definitions/duration"},
          "stop_after": {"description": "It is cancelled when it takes longer, also one that makes up for a missed run. A change counts from its next run.", "$ref": "#/definitions/duration"}
        }
      }
    }
  },
  "definitions": {
    "time": {"description": "Local time, as 03:00.", "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    "duration": {
      "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
      "properties": {
        "seconds": {"type": "integer", "minimum": 1, "maximum": 86400},
        "minutes": {"type": "integer", "minimum": 1, "maximum": 43200},
        "hours": {"type": "integer", "minimum": 1, "maximum": 8760},
        "days": {"type": "integer", "minimum": 1, "maximum": 365}
      }
    }
  }
})json";
}

}  // namespace picket::tasks
