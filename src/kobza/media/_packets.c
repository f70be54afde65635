/* The way of a packet in the plain common case: the compiled twin of `rtp_port.py` (docs/adr/0051-cost-of-media.md).
 *
 * A Port has the state of an RTP port as its Python twin has it, under the same names. A packet takes the short way
 * here when nothing has to be decided about it: it is RTP from the known source, nothing protects it on either side,
 * and nothing changes it. Any other packet is given to `arrived`, which is written in Python: so each decision is
 * written once. What is protected is read by Python too, in `readable`. A Loop waits for many ports at once.
 *
 * All of it runs with the interpreter's lock held, and every call of the system here returns at once; but for the moment
 * in which a Loop lets packets gather.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <structmember.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_PACKET = 2048, /* as in spool.py */
    HEADER = 12,       /* of RTP */
    NO_CODEC = 255,      /* as in recorder.py */
    CODECS = 128,
    RECORD = 8, /* the head of a record in a spool: kind, codec, length, ticks */
    EVENTS = 256,
    WINDOW = 64, /* packets, of which it is remembered whether they have come */
    COMPANY = 3, /* packets that were ready at once: that many in a moment make it pay to wait for one */
    MOMENT_NS = 500000,
};

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

/* The header of the last packet of a stream, as bytes for Python once it is asked for. */
typedef struct {
    unsigned char header[HEADER];
    char there;
    PyObject *seen;
} Last;

typedef struct {
    PyObject_HEAD
    int fd;
    int kind;
    char plain;     /* nothing protects the socket */
    char relaying;  /* what comes goes to the other side */
    char reachable; /* `to` is the address that `peer` says */
    char watched;   /* a Loop looks at it */
    Address to;
    Last first, heard, sent;
    long long packets, bytes_received, repeated, beyond, bytes_beyond, dropped;
    uint64_t window; /* which of the numbers up to `newest` have come; 0: none yet */
    uint16_t newest;
    PyObject *peer, *other, *rewrite, *codecs, *ear;
    PyObject *spool, *buffer; /* the buffer is the spool's, when it has one */
    double started, ticks;
} Port;

typedef struct {
    PyObject_HEAD
    int fd;
    PyObject *ports;
    PyObject *failed; /* called with the exception that Python raised for a packet */
    char gathers;     /* packets come so close that waiting for some more pays */
} Loop;

typedef struct {
    PyTypeObject *port, *loop;
} State;

/* addresses */

static int same_address(const Address *one, const Address *another)
{
    if (one->any.sa_family != another->any.sa_family)
        return 0;
    if (one->any.sa_family == AF_INET)
        return one->v4.sin_port == another->v4.sin_port && one->v4.sin_addr.s_addr == another->v4.sin_addr.s_addr;
    return one->v6.sin6_port == another->v6.sin6_port && one->v6.sin6_flowinfo == another->v6.sin6_flowinfo &&
           one->v6.sin6_scope_id == another->v6.sin6_scope_id &&
           memcmp(&one->v6.sin6_addr, &another->v6.sin6_addr, sizeof one->v6.sin6_addr) == 0;
}

static socklen_t size_of(const Address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

/* Read a Python address; 0 for one that only Python can use (a name, say), -1 with an exception. */
static int read_address(PyObject *from, Address *into)
{
    const char *host;
    int port;
    unsigned int flow = 0, scope = 0;
    memset(into, 0, sizeof *into);
    if (!PyTuple_Check(from)) {
        PyErr_SetString(PyExc_TypeError, "an address is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(from, "si|II;an address is (host, port) or (host, port, flow, scope)", &host, &port, &flow,
                          &scope))
        return -1;
    if (port <= 0 || port > 65535)
        return 0;
    if (PyTuple_Size(from) == 2 && inet_pton(AF_INET, host, &into->v4.sin_addr) == 1) {
        into->v4.sin_family = AF_INET;
        into->v4.sin_port = htons((uint16_t)port);
        return 1;
    }
    if (PyTuple_Size(from) == 4 && inet_pton(AF_INET6, host, &into->v6.sin6_addr) == 1) {
        into->v6.sin6_family = AF_INET6;
        into->v6.sin6_port = htons((uint16_t)port);
        into->v6.sin6_flowinfo = htonl(flow);
        into->v6.sin6_scope_id = scope;
        return 1;
    }
    return 0;
}

/* Return an address as `socket.recvfrom` gives it. */
static PyObject *python_address(const Address *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        return Py_BuildValue("(si)", host, ntohs(address->v4.sin_port));
    }
    inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
    return Py_BuildValue("(siII)", host, ntohs(address->v6.sin6_port), (unsigned int)ntohl(address->v6.sin6_flowinfo),
                         (unsigned int)address->v6.sin6_scope_id);
}

/* the last packets */

static void forget_last(Last *last)
{
    last->there = 0;
    Py_CLEAR(last->seen);
}

static void note_last(Last *last, const unsigned char *packet)
{
    memcpy(last->header, packet, HEADER);
    last->there = 1;
    Py_CLEAR(last->seen);
}

/* The same object as long as no other packet came: that is how a sweep sees that one did. */
static PyObject *get_last(Last *last)
{
    if (!last->there)
        Py_RETURN_NONE;
    if (last->seen == NULL)
        last->seen = PyBytes_FromStringAndSize((const char *)last->header, HEADER);
    return Py_XNewRef(last->seen);
}

static int set_last(Last *last, PyObject *value, const char *name)
{
    char *data;
    Py_ssize_t length;
    if (value == NULL || value == Py_None) {
        forget_last(last);
        return 0;
    }
    if (PyBytes_AsStringAndSize(value, &data, &length) < 0)
        return -1;
    if (length < HEADER) {
        PyErr_Format(PyExc_ValueError, "%s is no RTP packet", name);
        return -1;
    }
    note_last(last, (const unsigned char *)data);
    return 0;
}

/* a port: what Python sees */

static int port_init(PyObject *object, PyObject *arguments, PyObject *named)
{
    static char *names[] = {"fd", "kind", NULL};
    Port *self = (Port *)object;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "ii", names, &self->fd, &self->kind))
        return -1;
    self->plain = 1;
    return 0;
}

static int port_traverse(PyObject *object, visitproc visit, void *arg)
{
    Port *self = (Port *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->peer);
    Py_VISIT(self->other);
    Py_VISIT(self->rewrite);
    Py_VISIT(self->codecs);
    Py_VISIT(self->ear);
    Py_VISIT(self->spool);
    Py_VISIT(self->buffer);
    return 0;
}

static int port_clear(PyObject *object)
{
    Port *self = (Port *)object;
    self->reachable = 0;
    Py_CLEAR(self->peer);
    Py_CLEAR(self->other);
    Py_CLEAR(self->rewrite);
    Py_CLEAR(self->codecs);
    Py_CLEAR(self->ear);
    Py_CLEAR(self->spool);
    Py_CLEAR(self->buffer);
    forget_last(&self->first);
    forget_last(&self->heard);
    forget_last(&self->sent);
    return 0;
}

static void port_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(object);
    port_clear(object);
    release(object);
    Py_DECREF(type);
}

static PyObject *port_forget_socket(PyObject *self, PyObject *Py_UNUSED(none))
{
    ((Port *)self)->fd = -1;
    Py_RETURN_NONE;
}

static PyObject *port_get_first(PyObject *self, void *Py_UNUSED(unused))
{
    return get_last(&((Port *)self)->first);
}

static int port_set_first(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    return set_last(&((Port *)self)->first, value, "first");
}

static PyObject *port_get_heard(PyObject *self, void *Py_UNUSED(unused))
{
    return get_last(&((Port *)self)->heard);
}

static int port_set_heard(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    return set_last(&((Port *)self)->heard, value, "heard");
}

static PyObject *port_get_sent(PyObject *self, void *Py_UNUSED(unused))
{
    return get_last(&((Port *)self)->sent);
}

static int port_set_sent(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    return set_last(&((Port *)self)->sent, value, "sent");
}

static PyObject *or_none(PyObject *value)
{
    return Py_NewRef(value == NULL ? Py_None : value);
}

/* Keep an object under a name; None is kept as nothing. */
static void keep(PyObject **place, PyObject *value)
{
    PyObject *before = *place;
    *place = value == Py_None ? NULL : Py_XNewRef(value);
    Py_XDECREF(before);
}

static PyObject *port_get_peer(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->peer);
}

static int port_set_peer(PyObject *object, PyObject *value, void *Py_UNUSED(unused))
{
    Port *self = (Port *)object;
    Address address;
    int usable = 0;
    if (value != NULL && value != Py_None && (usable = read_address(value, &address)) < 0)
        return -1;
    if (usable)
        self->to = address;
    self->reachable = (char)usable;
    keep(&self->peer, value);
    return 0;
}

static PyObject *port_get_other(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->other);
}

static int port_set_other(PyObject *object, PyObject *value, void *Py_UNUSED(unused))
{
    State *state = PyType_GetModuleState(Py_TYPE(object));
    PyTypeObject *type = Py_TYPE(object);
    /* A subclass, made in Python, knows no module: its first base does. */
    while (state == NULL && (type = (PyTypeObject *)PyType_GetSlot(type, Py_tp_base)) != NULL) {
        PyErr_Clear();
        state = PyType_GetModuleState(type);
    }
    PyErr_Clear();
    if (value != NULL && value != Py_None && (state == NULL || !PyObject_TypeCheck(value, state->port))) {
        PyErr_SetString(PyExc_TypeError, "the other side's port is a Port");
        return -1;
    }
    keep(&((Port *)object)->other, value);
    return 0;
}

static PyObject *port_get_rewrite(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->rewrite);
}

static int port_set_rewrite(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    keep(&((Port *)self)->rewrite, value);
    return 0;
}

static PyObject *port_get_ear(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->ear);
}

static int port_set_ear(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    keep(&((Port *)self)->ear, value);
    return 0;
}

static PyObject *port_get_codecs(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->codecs);
}

static int port_set_codecs(PyObject *self, PyObject *value, void *Py_UNUSED(unused))
{
    if (value == NULL || !PyBytes_Check(value) || PyBytes_Size(value) != CODECS) {
        PyErr_Format(PyExc_ValueError, "codecs are %d bytes", CODECS);
        return -1;
    }
    keep(&((Port *)self)->codecs, value);
    return 0;
}

static PyObject *port_get_spool(PyObject *self, void *Py_UNUSED(unused))
{
    return or_none(((Port *)self)->spool);
}

static int number_of(PyObject *object, const char *name, double *into)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value == NULL)
        return -1;
    *into = PyFloat_AsDouble(value);
    Py_DECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

/* A spool with a `buffer` is written here, any other thing with a method `packet` by Python. */
static int port_set_spool(PyObject *object, PyObject *value, void *Py_UNUSED(unused))
{
    Port *self = (Port *)object;
    PyObject *buffer = NULL;
    double started = 0.0, ticks = 0.0;
    if (value != NULL && value != Py_None) {
        buffer = PyObject_GetAttrString(value, "buffer");
        if (buffer == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_AttributeError))
                return -1;
            PyErr_Clear();
        } else if (!PyByteArray_Check(buffer) || number_of(value, "started", &started) < 0 ||
                   number_of(value, "ticks", &ticks) < 0) {
            Py_DECREF(buffer);
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "the buffer of a spool is a bytearray");
            return -1;
        }
    }
    keep(&self->spool, value);
    keep(&self->buffer, buffer);
    Py_XDECREF(buffer);
    self->started = started;
    self->ticks = ticks;
    return 0;
}

/* a port: the short way of a packet */

static void little_endian(unsigned char *into, unsigned long value, int bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        *into++ = (unsigned char)value;
}

/* Append a packet to the spool, as Spool.packet does it; -1 with an exception. */
static int record(Port *self, int codec, const unsigned char *packet, size_t length)
{
    struct timespec now;
    unsigned char *end;
    Py_ssize_t size = PyByteArray_Size(self->buffer);
    double seconds;
    clock_gettime(CLOCK_MONOTONIC, &now);
    seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - self->started;
    if (PyByteArray_Resize(self->buffer, size + RECORD + (Py_ssize_t)length) < 0)
        return -1;
    end = (unsigned char *)PyByteArray_AsString(self->buffer) + size;
    end[0] = (unsigned char)self->kind;
    end[1] = (unsigned char)codec;
    little_endian(end + 2, (unsigned long)length, 2);
    little_endian(end + 4, seconds < 0 ? 0 : (unsigned long)(seconds * self->ticks), 4);
    memcpy(end + RECORD, packet, length);
    return 0;
}

/* Count a packet whose number has come already: the network has doubled it. */
static void count_number(Port *self, const unsigned char *packet)
{
    uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
    int ahead = (int16_t)(number - self->newest);
    if (self->window == 0 || ahead >= WINDOW || ahead <= -WINDOW) {
        self->window = 1; /* the first packet, or a stream that began anew */
        self->newest = number;
    } else if (ahead > 0) {
        self->window = self->window << ahead | 1;
        self->newest = number;
    } else if (self->window >> -ahead & 1)
        self->repeated++;
    else
        self->window |= (uint64_t)1 << -ahead;
}

static void withhold(Port *self, size_t length)
{
    self->beyond--;
    self->bytes_beyond -= (long long)length;
}

/* Carry a packet as `arrived` does it. 0: it is not for the short way, nothing was done; -1 with an exception. */
static int carried(Port *self, const unsigned char *packet, size_t length, const Address *source)
{
    Port *to = (Port *)self->other;
    int codec = NO_CODEC;
    ssize_t sent;
    if (length < HEADER || (packet[0] & 0xC0) != 0x80 || (packet[1] >= 192 && packet[1] <= 223))
        return 0;
    if (!self->reachable || !same_address(source, &self->to))
        return 0;
    if (self->relaying) {
        if (self->spool != NULL) {
            codec = self->codecs == NULL ? NO_CODEC : (unsigned char)PyBytes_AsString(self->codecs)[packet[1] & 0x7F];
            if (codec != NO_CODEC && self->buffer == NULL)
                return 0;
        }
        if (to != NULL && to->peer != NULL && (to->rewrite != NULL || !to->plain || !to->reachable))
            return 0;
        if (codec != NO_CODEC && record(self, codec, packet, length) < 0)
            return -1;
    } else if (self->ear != NULL)
        return 0;
    if (!self->first.there)
        note_last(&self->first, packet);
    note_last(&self->heard, packet);
    count_number(self, packet);
    self->packets++;
    self->bytes_received += (long long)length;
    if (!self->relaying || to == NULL || to->peer == NULL) {
        withhold(self, length);
        return 1;
    }
    do
        sent = sendto(to->fd, packet, length, MSG_DONTWAIT, &to->to.any, size_of(&to->to));
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        self->dropped++;
        withhold(self, length);
    } else
        note_last(&to->sent, packet);
    return 1;
}

/* Take one packet, the short way or by Python; -1 with an exception. */
static int take(Port *self)
{
    unsigned char packet[MAX_PACKET];
    Address source;
    socklen_t size = sizeof source;
    ssize_t length;
    PyObject *from, *done;
    if (!self->plain)
        done = PyObject_CallMethod((PyObject *)self, "readable", NULL);
    else {
        memset(&source, 0, sizeof source);
        do
            length = recvfrom(self->fd, packet, sizeof packet, MSG_DONTWAIT, &source.any, &size);
        while (length < 0 && errno == EINTR);
        if (length < 0)
            return 0;
        switch (carried(self, packet, (size_t)length, &source)) {
        case 1:
            return 0;
        case -1:
            return -1;
        }
        if ((from = python_address(&source)) == NULL)
            return -1;
        done = PyObject_CallMethod((PyObject *)self, "arrived", "y#O", (char *)packet, (Py_ssize_t)length, from);
        Py_DECREF(from);
    }
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyMemberDef port_members[] = {
    {"plain", T_BOOL, offsetof(Port, plain), 0, "Nothing protects the socket."},
    {"relaying", T_BOOL, offsetof(Port, relaying), 0, NULL},
    {"packets", T_LONGLONG, offsetof(Port, packets), 0, NULL},
    {"bytes_received", T_LONGLONG, offsetof(Port, bytes_received), 0, NULL},
    {"repeated", T_LONGLONG, offsetof(Port, repeated), 0, NULL},
    {"beyond", T_LONGLONG, offsetof(Port, beyond), 0, NULL},
    {"bytes_beyond", T_LONGLONG, offsetof(Port, bytes_beyond), 0, NULL},
    {"dropped", T_LONGLONG, offsetof(Port, dropped), 0, NULL},
    {"kind", T_INT, offsetof(Port, kind), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef port_attributes[] = {
    {"first", port_get_first, port_set_first, "The header of the first packet since this was set to None.", NULL},
    {"heard", port_get_heard, port_set_heard, "The header of the last packet from the phone.", NULL},
    {"sent", port_get_sent, port_set_sent, "The header of the last packet that went to the phone untouched.", NULL},
    {"peer", port_get_peer, port_set_peer, NULL, NULL},
    {"other", port_get_other, port_set_other, NULL, NULL},
    {"rewrite", port_get_rewrite, port_set_rewrite, NULL, NULL},
    {"codecs", port_get_codecs, port_set_codecs, NULL, NULL},
    {"ear", port_get_ear, port_set_ear, NULL, NULL},
    {"spool", port_get_spool, port_set_spool, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef port_methods[] = {
    {"forget_socket", port_forget_socket, METH_NOARGS, "The socket is closed: another one may get its number."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot port_slots[] = {
    {Py_tp_doc, "The RTP port of one side, for the plain common case."},
    {Py_tp_init, port_init},
    {Py_tp_traverse, port_traverse},
    {Py_tp_clear, port_clear},
    {Py_tp_dealloc, port_dealloc},
    {Py_tp_members, port_members},
    {Py_tp_getset, port_attributes},
    {Py_tp_methods, port_methods},
    {0, NULL},
};

static PyType_Spec port_spec = {
    "kobza.media._packets.Port",
    sizeof(Port),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    port_slots,
};

/* many ports */

static int loop_init(PyObject *object, PyObject *arguments, PyObject *named)
{
    static char *names[] = {"failed", NULL};
    Loop *self = (Loop *)object;
    PyObject *failed;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "O", names, &failed))
        return -1;
    if (self->ports != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a Loop is made once");
        return -1;
    }
    self->fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->fd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    self->failed = Py_NewRef(failed);
    self->ports = PySet_New(NULL);
    return self->ports == NULL ? -1 : 0;
}

static int loop_traverse(PyObject *object, visitproc visit, void *arg)
{
    Loop *self = (Loop *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->ports);
    Py_VISIT(self->failed);
    return 0;
}

static int loop_clear(PyObject *object)
{
    Loop *self = (Loop *)object;
    if (self->ports != NULL && self->fd >= 0) {
        close(self->fd); /* first: the ports may go with the set */
        self->fd = -1;
    }
    Py_CLEAR(self->ports);
    Py_CLEAR(self->failed);
    return 0;
}

static void loop_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(object);
    loop_clear(object);
    release(object);
    Py_DECREF(type);
}

static int is_open(Loop *self)
{
    if (self->ports != NULL && self->fd >= 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "the Loop is closed");
    return 0;
}

static PyObject *loop_fileno(PyObject *object, PyObject *Py_UNUSED(none))
{
    return is_open((Loop *)object) ? PyLong_FromLong(((Loop *)object)->fd) : NULL;
}

static PyObject *loop_add(PyObject *object, PyObject *port)
{
    Loop *self = (Loop *)object;
    State *state = PyType_GetModuleState(Py_TYPE(object));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
    if (state == NULL || !is_open(self))
        return NULL;
    if (!PyObject_TypeCheck(port, state->port)) {
        PyErr_SetString(PyExc_TypeError, "a Loop looks at Ports");
        return NULL;
    }
    if (((Port *)port)->watched) {
        PyErr_SetString(PyExc_ValueError, "the Port is looked at already");
        return NULL;
    }
    if (PySet_Add(self->ports, port) < 0)
        return NULL;
    if (epoll_ctl(self->fd, EPOLL_CTL_ADD, ((Port *)port)->fd, &event) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        PySet_Discard(self->ports, port);
        return NULL;
    }
    ((Port *)port)->watched = 1;
    Py_RETURN_NONE;
}

static PyObject *loop_remove(PyObject *object, PyObject *port)
{
    Loop *self = (Loop *)object;
    int was;
    if (!is_open(self) || (was = PySet_Contains(self->ports, port)) < 0)
        return NULL;
    if (was) {
        epoll_ctl(self->fd, EPOLL_CTL_DEL, ((Port *)port)->fd, NULL);
        ((Port *)port)->watched = 0;
        PySet_Discard(self->ports, port);
    }
    Py_RETURN_NONE;
}

/* Tell of the exception that is set; -1 when that fails too. */
static int tell(Loop *self)
{
    PyObject *type, *error, *traceback, *done;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    done = PyObject_CallFunctionObjArgs(self->failed, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *loop_run(PyObject *object, PyObject *Py_UNUSED(none))
{
    Loop *self = (Loop *)object;
    struct epoll_event events[EVENTS];
    int count, index, wrong = 0;
    if (!is_open(self))
        return NULL;
    if (self->gathers) {
        /* To be woken costs more than to carry a packet. */
        const struct timespec moment = {.tv_nsec = MOMENT_NS};
        Py_BEGIN_ALLOW_THREADS
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL); /* a signal may end it sooner */
        Py_END_ALLOW_THREADS
    }
    count = epoll_wait(self->fd, events, EVENTS, 0);
    self->gathers = count >= COMPANY && count < EVENTS; /* else there are more already */
    if (count < 0)
        return errno == EINTR ? PyLong_FromLong(0) : PyErr_SetFromErrno(PyExc_OSError);
    /* What Python does for one port may close another one of them. */
    for (index = 0; index < count; index++)
        Py_INCREF((PyObject *)events[index].data.ptr);
    for (index = 0; index < count; index++) {
        Port *port = events[index].data.ptr;
        if (!wrong && port->watched && take(port) < 0 && tell(self) < 0)
            wrong = 1;
    }
    for (index = 0; index < count; index++)
        Py_DECREF((PyObject *)events[index].data.ptr);
    return wrong ? NULL : PyLong_FromLong(count);
}

static PyMemberDef loop_members[] = {
    {"gathers", T_BOOL, offsetof(Loop, gathers), READONLY, "The next `run` waits half a millisecond for more packets."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef loop_methods[] = {
    {"fileno", loop_fileno, METH_NOARGS, "Return what is readable when a port of it is."},
    {"add", loop_add, METH_O, "Look at a port."},
    {"remove", loop_remove, METH_O, "Look at a port no more; before its socket is closed."},
    {"run", loop_run, METH_NOARGS, "Take one packet from each port that has one; return from how many."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot loop_slots[] = {
    {Py_tp_doc, "Waits for many ports. What Python raises for one is given to `failed`."},
    {Py_tp_init, loop_init},
    {Py_tp_traverse, loop_traverse},
    {Py_tp_clear, loop_clear},
    {Py_tp_dealloc, loop_dealloc},
    {Py_tp_members, loop_members},
    {Py_tp_methods, loop_methods},
    {0, NULL},
};

static PyType_Spec loop_spec = {
    "kobza.media._packets.Loop",
    sizeof(Loop),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    loop_slots,
};

/* the module */

static int module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->port = (PyTypeObject *)PyType_FromModuleAndSpec(module, &port_spec, NULL);
    state->loop = (PyTypeObject *)PyType_FromModuleAndSpec(module, &loop_spec, NULL);
    if (state->port == NULL || state->loop == NULL)
        return -1;
    return PyModule_AddType(module, state->port) < 0 || PyModule_AddType(module, state->loop) < 0 ? -1 : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->port);
    Py_VISIT(state->loop);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->port);
    Py_CLEAR(state->loop);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_packets",
    .m_doc = "The way of a packet in the plain common case.",
    .m_size = sizeof(State),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__packets(void)
{
    return PyModuleDef_Init(&module_definition);
}
