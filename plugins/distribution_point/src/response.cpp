#include "response.hpp"

namespace distribution_point {
namespace {

void add_number(std::string& out, std::uint64_t value) {
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) out.push_back(digits[--count]);
}

// RFC 9110 13.1.2: the weak comparison; a list, or "*".
bool names_etag(std::string_view list, std::string_view etag) {
  if (list == "*") return true;
  while (!list.empty()) {
    while (!list.empty() && (list.front() == ' ' || list.front() == ',' || list.front() == '\t')) list.remove_prefix(1);
    if (list.starts_with("W/")) list.remove_prefix(2);
    if (list.empty() || list.front() != '"') return false;
    const auto end = list.find('"', 1);
    if (end == list.npos) return false;
    if (list.substr(0, end + 1) == etag) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

bool is_unchanged(const Request& request, const Entry& entry) {
  if (!request.if_none_match.empty()) return names_etag(request.if_none_match, entry.etag) || (!entry.packed.empty() && names_etag(request.if_none_match, entry.packed_etag));
  if (request.if_modified_since.empty()) return false;
  const auto since = parse_http_date(request.if_modified_since);
  return since && entry.modified <= *since;
}

// RFC 9110 13.1.5: a part is only wanted of the very file that the client has begun.
bool range_counts(const Request& request, const Entry& entry) {
  if (request.range.empty() || request.method != Request::Method::get) return false;
  if (request.if_range.empty()) return true;
  if (request.if_range.front() == '"') return request.if_range == entry.etag;
  const auto date = parse_http_date(request.if_range);
  return date && *date == entry.modified;
}

}  // namespace

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

Reply answer_file(const Request& request, const Catalogue& catalogue, std::string_view date, std::string& head) {
  const Entry* entry = catalogue.find(request.path);
  const bool head_only = request.method == Request::Method::head;
  if (entry == nullptr) {
    answer_text(404, "text/plain", "no such file here\n", head_only, !request.keep_alive, date, head);
    return {404};
  }
  Reply reply{200, entry, 0, entry->size};
  if (is_unchanged(request, *entry)) {
    reply = {304};
  } else if (range_counts(request, *entry)) {
    if (const auto part = part_of(request.range, entry->size)) {
      if (part->unsatisfiable) reply = {416};
      else reply = {206, entry, part->first, part->length};
    }
  }
  if (reply.status == 200 && request.takes_gzip && !entry->packed.empty()) {
    reply.packed = true;
    reply.length = entry->packed.size();
  }
  head.append("HTTP/1.1 ");
  add_number(head, static_cast<std::uint64_t>(reply.status));
  head.append(" ").append(reason_of(reply.status)).append("\r\n").append(date);
  if (reply.status == 206) {
    head.append("Content-Range: bytes ");
    add_number(head, reply.first);
    head.append("-");
    add_number(head, reply.first + reply.length - 1);
    head.append("/");
    add_number(head, entry->size);
    head.append("\r\n");
  } else if (reply.status == 416) {
    head.append("Content-Range: bytes */");
    add_number(head, entry->size);
    head.append("\r\n");
  }
  if (reply.status != 304) {
    head.append("Content-Length: ");
    add_number(head, reply.length);
    head.append("\r\nContent-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n");
  }
  if (reply.packed) head.append("Content-Encoding: gzip\r\n");
  if (reply.status != 416) head.append(reply.packed || (reply.status == 304 && request.takes_gzip && !entry->packed.empty()) ? entry->packed_validators : entry->validators);
  if (entry->changes) head.append("Cache-Control: no-cache\r\n");
  if (entry->changes && !catalogue.point().empty()) head.append("Picket-Point: ").append(catalogue.point()).append("\r\n");
  if (!request.keep_alive) head.append("Connection: close\r\n");
  head.append("\r\n");
  if (head_only) reply.entry = nullptr;
  return reply;
}

void answer_text(int status, std::string_view type, std::string_view body, bool head_only, bool close, std::string_view date, std::string& out) {
  out.append("HTTP/1.1 ");
  add_number(out, static_cast<std::uint64_t>(status));
  out.append(" ").append(reason_of(status)).append("\r\n").append(date).append("Content-Type: ").append(type).append("\r\nContent-Length: ");
  add_number(out, body.size());
  out.append("\r\n");
  if (status == 405) out.append("Allow: GET, HEAD\r\n");
  if (status == 503) out.append("Retry-After: 10\r\n");
  if (close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (!head_only) out.append(body);
}

}  // namespace distribution_point
