"""Algoritmo in Blender: an add-on that moves objects with the music, sixty times a second.

1. algoritmo replay examples/session --loop --config examples/smooth.toml
2. Blender: Edit > Preferences > Add-ons > Install from Disk, choose this file, switch it on.
3. In the 3D view press N, tab Algoritmo: Listen. Six glowing spheres go round once a bar, as far out as their pitch is high, as
   large as they are loud. View > Viewport Shading > Rendered shows their light.

Every number is there for drivers, too: `algoritmo("smooth/energy")` as the expression of any driver.
"""

import math
import socket
import struct

try:
    import bpy
except ModuleNotFoundError:  # outside of Blender: what receives can be used there as well
    bpy = None

bl_info = {
    "name": "Algoritmo",
    "author": "Algoritmo",
    "version": (1, 0, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Algoritmo",
    "description": "Moves objects with a network that plays music",
    "category": "Animation",
}

PORT = 9010
ROOT = "/algoritmo/"
FRAME_S = 1 / 60
VOICES = {
    "track/drums": (0.90, 0.62, 0.00),
    "track/bass": (0.34, 0.71, 0.91),
    "track/chords": (0.00, 0.62, 0.45),
    "track/pad": (0.80, 0.47, 0.65),
    "track/lead": (0.94, 0.89, 0.26),
    "player": (1.00, 0.96, 0.86),
}


class Feed:
    """What came last, by address without the root."""

    def __init__(self, port=PORT):
        self.latest = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)

    def take(self):
        """Read all that waits."""
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            try:
                self._read(data)
            except (struct.error, ValueError):
                continue  # no OSC

    def get(self, address, number=0):
        """Return a number, 0 before it came."""
        values = self.latest.get(address, ())
        return values[number] if number < len(values) else 0.0

    def close(self):
        """Listen no longer."""
        self._socket.close()

    def _read(self, data):
        if data.startswith(b"#bundle\0"):
            at = 16
            while at < len(data):
                (size,) = struct.unpack_from(">i", data, at)
                if size <= 0:
                    raise ValueError("a message of no size")
                self._read(data[at + 4 : at + 4 + size])
                at += 4 + size
            return
        address, at = _text(data, 0)
        tags, at = _text(data, at)
        values = []
        for tag in tags[1:]:
            if tag == "s":
                _, at = _text(data, at)
            else:
                values += struct.unpack_from(">i" if tag == "i" else ">f", data, at)
                at += 4
        self.latest[address.removeprefix(ROOT)] = values


def _text(data, at):
    """Return a text that is filled up to four bytes, and where it ends."""
    end = data.index(b"\0", at)
    return data[at:end].decode("ascii", "replace"), end + 4 - end % 4


def places(feed):
    """Return where each voice is now: (x, z, size) by name."""
    turn = 2 * math.pi * (0.25 - feed.get("smooth/bar/phase"))
    found = {}
    for name in VOICES:
        away = 1 + 4 * feed.get(f"smooth/{name}/pitch")
        size = 0.1 + 0.5 * feed.get(f"smooth/{name}/envelope") + 0.2 * feed.get(f"smooth/{name}/onset")
        found[name] = (away * math.cos(turn), away * math.sin(turn), size)
    return found


if bpy is not None:
    _feed = None

    def _sphere(name, colour):
        """Return the voice's object, made where it is not there."""
        found = bpy.data.objects.get(f"algoritmo {name}")
        if found is not None:
            return found
        bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16)
        made = bpy.context.active_object
        made.name = f"algoritmo {name}"
        material = bpy.data.materials.new(made.name)
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        nodes.clear()
        glow = nodes.new("ShaderNodeEmission")
        glow.inputs["Color"].default_value = (*colour, 1.0)
        glow.inputs["Strength"].default_value = 4.0
        out = nodes.new("ShaderNodeOutputMaterial")
        links.new(glow.outputs["Emission"], out.inputs["Surface"])
        material.diffuse_color = (*colour, 1.0)
        made.data.materials.append(material)
        return made

    def _frame():
        """Move everything; Blender asks for it again after the time returned."""
        if _feed is None:
            return None
        _feed.take()
        for name, (x, z, size) in places(_feed).items():
            sphere = _sphere(name, VOICES[name])
            sphere.location = (x, 0.0, z)
            sphere.scale = (size, size, size)
        return FRAME_S

    def value(address):
        """For drivers: a number of the feed."""
        return _feed.get(address) if _feed is not None else 0.0

    class ALGORITMO_OT_listen(bpy.types.Operator):  # noqa: N801  (Blender's way to name it)
        """Listen to the network, or stop listening"""

        bl_idname = "algoritmo.listen"
        bl_label = "Listen"

        def execute(self, _context):
            """Begin, or end."""
            global _feed
            if _feed is not None:
                _feed.close()
                _feed = None
                return {"FINISHED"}
            try:
                _feed = Feed()
            except OSError as error:
                self.report({"ERROR"}, f"port {PORT}: {error.strerror}; another program may have it")
                return {"CANCELLED"}
            bpy.app.timers.register(_frame)
            return {"FINISHED"}

    class ALGORITMO_PT_panel(bpy.types.Panel):  # noqa: N801
        """The tab in the sidebar."""

        bl_label = "Algoritmo"
        bl_space_type = "VIEW_3D"
        bl_region_type = "UI"
        bl_category = "Algoritmo"

        def draw(self, _context):
            """One button, and how it is."""
            self.layout.operator("algoritmo.listen", text="Stop" if _feed else "Listen", icon="PLAY")
            if _feed is not None:
                self.layout.label(text=f"energy {_feed.get('smooth/energy'):.2f}" if _feed.latest else "nothing comes yet")

    CLASSES = (ALGORITMO_OT_listen, ALGORITMO_PT_panel)

    def register():
        """Blender switches it on."""
        for one in CLASSES:
            bpy.utils.register_class(one)
        bpy.app.driver_namespace["algoritmo"] = value

    def unregister():
        """Blender switches it off."""
        if _feed is not None:
            bpy.ops.algoritmo.listen()
        bpy.app.driver_namespace.pop("algoritmo", None)
        for one in reversed(CLASSES):
            bpy.utils.unregister_class(one)
