// Algoritmo in Unity, sixty times a second, with nothing to install: put this file into Assets, add it to an empty object, press Play.
// Six spheres go round once a bar, as far out as their pitch is high, as large as they are loud; each draws a trail.
//
// For something to see: algoritmo replay examples/session --loop --config examples/smooth.toml

using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using UnityEngine;

// What came last, by address; written by a thread of its own.
public class AlgoritmoFeed : IDisposable {
    readonly UdpClient socket;
    readonly Thread thread;
    readonly Dictionary<string, float[]> latest = new Dictionary<string, float[]>();
    volatile bool over;

    public AlgoritmoFeed(int port) {
        socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        thread = new Thread(Listen) { IsBackground = true };
        thread.Start();
    }

    public float Get(string address, int number = 0) {
        lock (latest) {
            float[] values;
            return latest.TryGetValue(address, out values) && number < values.Length ? values[number] : 0f;
        }
    }

    public void Dispose() {
        over = true;
        socket.Close();
    }

    void Listen() {
        var from = new IPEndPoint(IPAddress.Any, 0);
        while (!over) {
            try {
                byte[] data = socket.Receive(ref from);
                Take(data, 0, data.Length);
            } catch (SocketException) {
                // closed, or a datagram that was too large
            } catch (ObjectDisposedException) {
                return;
            } catch (ArgumentException) {
                // no OSC
            }
        }
    }

    // A bundle, or a message: an address, type tags, arguments, each filled up to four bytes.
    public void Take(byte[] data, int at, int end) {
        if (at >= end) return;
        if (data[at] == '#') {
            at += 16; // "#bundle" and its time
            while (at + 4 <= end) {
                int size = Int(data, at);
                at += 4;
                if (size < 0 || at + size > end) return;
                Take(data, at, at + size);
                at += size;
            }
            return;
        }
        string address = Text(data, ref at, end);
        string tags = Text(data, ref at, end);
        var values = new List<float>();
        foreach (char tag in tags) {
            if (tag == ',') continue;
            if (tag == 's') {
                Text(data, ref at, end);
                continue;
            }
            if (at + 4 > end) return;
            if (tag == 'f') values.Add(Float(data, at));
            else if (tag == 'i') values.Add(Int(data, at));
            at += 4;
        }
        lock (latest) latest[address] = values.ToArray();
    }

    static int Int(byte[] data, int at) {
        return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
    }

    static float Float(byte[] data, int at) {
        var four = new[] { data[at], data[at + 1], data[at + 2], data[at + 3] };
        if (BitConverter.IsLittleEndian) Array.Reverse(four);
        return BitConverter.ToSingle(four, 0);
    }

    static string Text(byte[] data, ref int at, int end) {
        int stop = Array.IndexOf(data, (byte)0, at, end - at);
        if (stop < 0) throw new ArgumentException("a text without an end");
        string text = Encoding.ASCII.GetString(data, at, stop - at);
        at = stop + 4 - (stop - at) % 4;
        return text;
    }
}

public class Algoritmo : MonoBehaviour {
    public int port = 9010;
    public float reach = 4f;

    static readonly string[] Voices = { "track/drums", "track/bass", "track/chords", "track/pad", "track/lead", "player" };
    static readonly Color[] Colours = {
        new Color(0.90f, 0.62f, 0.00f), new Color(0.34f, 0.71f, 0.91f), new Color(0.00f, 0.62f, 0.45f),
        new Color(0.80f, 0.47f, 0.65f), new Color(0.94f, 0.89f, 0.26f), new Color(1.00f, 0.96f, 0.86f),
    };

    AlgoritmoFeed feed;
    readonly List<Transform> spheres = new List<Transform>();

    void OnEnable() {
        feed = new AlgoritmoFeed(port);
        for (int voice = 0; voice < Voices.Length; voice++) {
            GameObject sphere = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            sphere.name = Voices[voice];
            sphere.transform.SetParent(transform, false);
            sphere.GetComponent<Renderer>().material.color = Colours[voice];
            TrailRenderer trail = sphere.AddComponent<TrailRenderer>();
            trail.time = 1.5f;
            trail.material = new Material(Shader.Find("Sprites/Default"));
            trail.startColor = Colours[voice];
            trail.endColor = new Color(Colours[voice].r, Colours[voice].g, Colours[voice].b, 0f);
            spheres.Add(sphere.transform);
        }
    }

    void Update() {
        float turn = 2f * Mathf.PI * (0.25f - feed.Get("/algoritmo/smooth/bar/phase"));
        for (int voice = 0; voice < Voices.Length; voice++) {
            string root = "/algoritmo/smooth/" + Voices[voice];
            float loud = feed.Get(root + "/envelope");
            float away = reach * (0.2f + 0.8f * feed.Get(root + "/pitch"));
            float size = 0.1f + 0.8f * loud + 0.3f * feed.Get(root + "/onset");
            spheres[voice].localPosition = new Vector3(away * Mathf.Cos(turn), away * Mathf.Sin(turn), 0.3f * voice);
            spheres[voice].localScale = Vector3.one * size;
            spheres[voice].GetComponent<TrailRenderer>().startWidth = 0.5f * size;
        }
    }

    void OnDisable() {
        feed.Dispose();
        foreach (Transform sphere in spheres) Destroy(sphere.gameObject);
        spheres.Clear();
    }
}
