/* draw.h - pictures, plots and a progress bar for the examples; standard C, no dependency
   SPDX-License-Identifier: MIT-0 OR Unlicense

   A canvas is an RGB image. Draw images, text, lines and plots on it, then save it as PNG:
       draw_canvas c = draw_new(640, 400, 0xffffff);
       draw_image(&c, 10, 30, 2, pixels, 128, 128, 0.0, 1.0, DRAW_GRAY);   // each pixel 2x2
       draw_text(&c, 10, 10, 1, 0x000000, "phantom");
       draw_plot p = draw_axes(&c, 300, 10, 330, 380, 0, 100, 1e-6, 1, DRAW_LOG_Y, "convergence", "iteration", "gap");
       draw_curve(&p, n, x, y, 0xd62728, "PDHG");
       draw_save(&c, "picture.png"); draw_free(&c);
   Colours are 0xRRGGBB. Functions that fail print one line to stderr and return 0. */
#ifndef NRX_EXAMPLES_DRAW_H
#define NRX_EXAMPLES_DRAW_H
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define DRAW_TERMINAL() isatty(2)
#else
#define DRAW_TERMINAL() 1
#endif

#if defined(__GNUC__) || defined(__clang__)
#define DRAW_FN __attribute__((unused)) static
#else
#define DRAW_FN static
#endif

enum { DRAW_GRAY = 0, DRAW_HEAT = 1, DRAW_DIVERGING = 2 };            /* colour maps */
enum { DRAW_LINEAR = 0, DRAW_LOG_X = 1, DRAW_LOG_Y = 2 };             /* axes */

typedef struct { int w, h; unsigned char *rgb; } draw_canvas;

/* Ten colours that stay apart in print and for most colour-blind readers. */
static const unsigned draw_palette[10] = {0x1f77b4, 0xd62728, 0x2ca02c, 0xff7f0e, 0x9467bd,
                                          0x17becf, 0x8c564b, 0xe377c2, 0x7f7f7f, 0xbcbd22};

/* ---- PNG: one IDAT, fixed Huffman codes, a hash of three bytes finds the matches ---- */

typedef struct { unsigned char *out; size_t n; unsigned long bits; int count; } draw_bits;

DRAW_FN void draw_put_bits(draw_bits *b, unsigned value, int count)
{
    b->bits |= (unsigned long)value << b->count;
    b->count += count;
    while (b->count >= 8) {
        b->out[b->n++] = (unsigned char)(b->bits & 255u);
        b->bits >>= 8;
        b->count -= 8;
    }
}

DRAW_FN void draw_put_code(draw_bits *b, unsigned code, int count) /* Huffman codes go out from their top bit */
{
    unsigned r = 0;
    int i;
    for (i = 0; i < count; i++) r |= ((code >> i) & 1u) << (count - 1 - i);
    draw_put_bits(b, r, count);
}

DRAW_FN void draw_put_symbol(draw_bits *b, unsigned s)
{
    if (s < 144) draw_put_code(b, 0x30 + s, 8);
    else if (s < 256) draw_put_code(b, 0x190 + s - 144, 9);
    else if (s < 280) draw_put_code(b, s - 256, 7);
    else draw_put_code(b, 0xc0 + s - 280, 8);
}

DRAW_FN void draw_put_match(draw_bits *b, unsigned length, unsigned distance)
{
    unsigned base = 3, code = 257, extra = 0, step;
    for (;;) { /* lengths: four codes share each number of extra bits, the first eight have none */
        extra = code < 265 ? 0 : (code - 261) / 4;
        step = 1u << extra;
        if (code == 285 || length < base + step) break;
        base += step;
        code++;
    }
    if (length == 258) { code = 285; extra = 0; base = 258; }
    draw_put_symbol(b, code);
    draw_put_bits(b, length - base, (int)extra);
    base = 1;
    for (code = 0; code < 29; code++) { /* distances: two codes share each number of extra bits */
        extra = code < 4 ? 0 : code / 2 - 1;
        if (distance < base + (1u << extra)) break;
        base += 1u << extra;
    }
    extra = code < 4 ? 0 : code / 2 - 1;
    draw_put_code(b, code, 5);
    draw_put_bits(b, distance - base, (int)extra);
}

DRAW_FN size_t draw_deflate(const unsigned char *in, size_t n, unsigned char *out)
{
    static int head[1 << 15]; /* last place of each hash, plus one */
    draw_bits b;
    size_t i = 0;
    memset(&b, 0, sizeof b);
    memset(head, 0, sizeof head);
    b.out = out;
    draw_put_bits(&b, 1, 1);
    draw_put_bits(&b, 1, 2);
    while (i < n) {
        size_t length = 0, from = 0;
        if (i + 3 < n) {
            unsigned h = ((unsigned)in[i] * 2654435761u ^ (unsigned)in[i + 1] * 40503u * 257u ^ (unsigned)in[i + 2] * 2246822519u) >> 17;
            from = (size_t)head[h];
            head[h] = (int)i + 1;
            if (from && i + 1 - from <= 32768) {
                from--;
                while (length < 258 && i + length < n && in[from + length] == in[i + length]) length++;
            }
        }
        if (length >= 3) {
            draw_put_match(&b, (unsigned)length, (unsigned)(i - from));
            i += length;
        } else draw_put_symbol(&b, in[i++]);
    }
    draw_put_symbol(&b, 256);
    draw_put_bits(&b, 0, 7);
    return b.n;
}

DRAW_FN void draw_put_u32(unsigned char *p, unsigned long v)
{
    p[0] = (unsigned char)(v >> 24 & 255u); p[1] = (unsigned char)(v >> 16 & 255u);
    p[2] = (unsigned char)(v >> 8 & 255u);  p[3] = (unsigned char)(v & 255u);
}

DRAW_FN int draw_chunk(FILE *f, const char *type, unsigned char *data, size_t n) /* data has 8 free bytes in front, 4 behind */
{
    unsigned long crc = 0xffffffffUL;
    size_t i;
    int k;
    draw_put_u32(data, (unsigned long)n);
    memcpy(data + 4, type, 4);
    for (i = 4; i < n + 8; i++) {
        crc ^= data[i];
        for (k = 0; k < 8; k++) crc = crc & 1u ? 0xedb88320UL ^ (crc >> 1) : crc >> 1;
    }
    draw_put_u32(data + 8 + n, crc ^ 0xffffffffUL);
    return fwrite(data, 1, n + 12, f) == n + 12;
}

/* Writes w x h RGB pixels as PNG; 1 on success. */
DRAW_FN int draw_png(const char *path, const unsigned char *rgb, int w, int h)
{
    size_t row = 3u * (size_t)w, raw = (row + 1) * (size_t)h, n;
    unsigned char *plain = (unsigned char *)malloc(raw + 1), *data = (unsigned char *)malloc(raw + raw / 4 + 64);
    unsigned long a = 1, s = 0;
    size_t i;
    int y, ok = 0;
    FILE *f = plain && data ? fopen(path, "wb") : NULL;
    if (f) {
        for (y = 0; y < h; y++) { /* filter "up" after the first row: flat areas become zeros */
            unsigned char *q = plain + (row + 1) * (size_t)y;
            const unsigned char *p = rgb + row * (size_t)y;
            q[0] = y ? 2 : 0;
            for (i = 0; i < row; i++) q[1 + i] = (unsigned char)(p[i] - (y ? p[i - row] : 0));
        }
        ok = fwrite("\x89PNG\r\n\x1a\n", 1, 8, f) == 8;
        draw_put_u32(data + 8, (unsigned long)w);
        draw_put_u32(data + 12, (unsigned long)h);
        memcpy(data + 16, "\x08\x02\0\0\0", 5);
        ok = ok && draw_chunk(f, "IHDR", data, 13);
        data[8] = 0x78;
        data[9] = 0x01;
        n = 2 + draw_deflate(plain, raw, data + 10);
        for (i = 0; i < raw; i++) { a = (a + plain[i]) % 65521u; s = (s + a) % 65521u; }
        draw_put_u32(data + 8 + n, s << 16 | a);
        ok = ok && draw_chunk(f, "IDAT", data, n + 4);
        ok = ok && draw_chunk(f, "IEND", data, 0);
        if (fclose(f) != 0) ok = 0;
    }
    free(plain);
    free(data);
    if (!ok) fprintf(stderr, "cannot write %s\n", path);
    return ok;
}

/* ---- canvas ---- */

DRAW_FN draw_canvas draw_new(int w, int h, unsigned background)
{
    draw_canvas c;
    int i;
    c.w = w;
    c.h = h;
    c.rgb = (unsigned char *)malloc(3u * (size_t)w * (size_t)h);
    if (!c.rgb) { fprintf(stderr, "no memory for a %d x %d picture\n", w, h); c.w = c.h = 0; return c; }
    for (i = 0; i < w * h; i++) {
        c.rgb[3 * i] = (unsigned char)(background >> 16 & 255u);
        c.rgb[3 * i + 1] = (unsigned char)(background >> 8 & 255u);
        c.rgb[3 * i + 2] = (unsigned char)(background & 255u);
    }
    return c;
}

DRAW_FN void draw_free(draw_canvas *c) { free(c->rgb); c->rgb = NULL; c->w = c->h = 0; }
DRAW_FN int draw_save(const draw_canvas *c, const char *path) { return c->rgb && draw_png(path, c->rgb, c->w, c->h); }

DRAW_FN void draw_pixel(draw_canvas *c, int x, int y, unsigned colour)
{
    unsigned char *p;
    if (x < 0 || y < 0 || x >= c->w || y >= c->h) return;
    p = c->rgb + 3 * ((size_t)y * (size_t)c->w + (size_t)x);
    p[0] = (unsigned char)(colour >> 16 & 255u);
    p[1] = (unsigned char)(colour >> 8 & 255u);
    p[2] = (unsigned char)(colour & 255u);
}

DRAW_FN void draw_rect(draw_canvas *c, int x, int y, int w, int h, unsigned colour)
{
    int i, j;
    for (j = 0; j < h; j++) for (i = 0; i < w; i++) draw_pixel(c, x + i, y + j, colour);
}

DRAW_FN void draw_line(draw_canvas *c, double x0, double y0, double x1, double y1, unsigned colour)
{
    double dx = x1 - x0, dy = y1 - y0, m = fabs(dx) > fabs(dy) ? fabs(dx) : fabs(dy);
    int i, n;
    if (!(m < 1e5)) return; /* also refuses NaN */
    n = (int)m + 1;
    for (i = 0; i <= n; i++) draw_pixel(c, (int)floor(x0 + dx * i / n + 0.5), (int)floor(y0 + dy * i / n + 0.5), colour);
}

/* A colour for t in [0,1] (clipped; NaN gives magenta). */
DRAW_FN unsigned draw_colour(double t, int map)
{
    double r, g, b;
    if (t != t) return 0xff00ff;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    if (map == DRAW_HEAT) {
        r = t < 0.4 ? t / 0.4 : 1;
        g = t < 0.4 ? 0 : t < 0.8 ? (t - 0.4) / 0.4 : 1;
        b = t < 0.8 ? 0 : (t - 0.8) / 0.2;
    } else if (map == DRAW_DIVERGING) {
        r = t < 0.5 ? 2 * t : 1;
        b = t < 0.5 ? 1 : 2 * (1 - t);
        g = t < 0.5 ? 2 * t : 2 * (1 - t);
    } else r = g = b = t;
    return (unsigned)(255 * r + 0.5) << 16 | (unsigned)(255 * g + 0.5) << 8 | (unsigned)(255 * b + 0.5);
}

/* img[h][w] with values lo..hi mapped to colours, each pixel `scale` wide and high, top left corner at (x, y). */
DRAW_FN void draw_image(draw_canvas *c, int x, int y, int scale, const float *img, int w, int h, double lo, double hi, int map)
{
    int i, j;
    for (j = 0; j < h; j++)
        for (i = 0; i < w; i++) {
            double v = img[(size_t)j * (size_t)w + (size_t)i];
            draw_rect(c, x + i * scale, y + j * scale, scale, scale, draw_colour((v - lo) / (hi > lo ? hi - lo : 1), map));
        }
}

/* One grey image to one file. */
DRAW_FN int draw_gray(const char *path, const float *img, int w, int h, double lo, double hi)
{
    draw_canvas c = draw_new(w, h, 0);
    int ok;
    draw_image(&c, 0, 0, 1, img, w, h, lo, hi, DRAW_GRAY);
    ok = draw_save(&c, path);
    draw_free(&c);
    return ok;
}

/* ---- text: glyphs of 5x7 points, seven rows of two hexadecimal digits each, from ' ' to '~' ---- */

static const char *const draw_font[95] = {
    "00000000000000", "04040404040004", "0A0A0000000000", "0A0A1F0A1F0A0A", "040F140E051E04", "18190204081303", "0C12140815120D",
    "04040000000000", "02040808080402", "08040202020408", "00041F0E1F0400", "0004041F040400", "00000000040408", "0000001F000000",
    "00000000000004", "01010204081010", "0E11131519110E", "040C040404040E", "0E11010204081F", "0E11010601110E", "02060A121F0202",
    "1F101E0101110E", "0608101E11110E", "1F010204080808", "0E11110E11110E", "0E11110F01020C", "00000400000400", "00000400040408",
    "02040810080402", "00001F001F0000", "08040201020408", "0E110102040004", "0E11171517100E", "0E11111F111111", "1E11111E11111E",
    "0E11101010110E", "1E11111111111E", "1F10101E10101F", "1F10101E101010", "0E11101713110F", "1111111F111111", "0E04040404040E",
    "01010101011106", "11121418141211", "1010101010101F", "111B1515111111", "11191513111111", "0E11111111110E", "1E11111E101010",
    "0E11111115120D", "1E11111E141211", "0F10100E01011E", "1F040404040404", "1111111111110E", "11111111110A04", "11111115151B11",
    "11110A040A1111", "11110A04040404", "1F01020408101F", "0E08080808080E", "10100804020101", "0E02020202020E", "040A1100000000",
    "0000000000001F", "08040000000000", "00000E010F110F", "10101E1111111E", "00000E1110110E", "01010F1111110F", "00000E111F100E",
    "0609081C080808", "00000F110F010E", "10101E11111111", "04000C0404040E", "02000602021204", "10101214181412", "0C04040404040E",
    "00001A15151515", "00001E11111111", "00000E1111110E", "00001E111E1010", "00000F110F0101", "00001619101010", "00000F100E011E",
    "08081C08080906", "0000111111130D", "00001111110A04", "0000111115150A", "0000110A040A11", "000011110F010E", "00001F0204081F",
    "02040408040402", "04040404040404", "08040402040408", "00000815020000"};

/* Text with its top left corner at (x, y); a character is 6*scale wide and 8*scale high. */
DRAW_FN void draw_text(draw_canvas *c, int x, int y, int scale, unsigned colour, const char *text)
{
    for (; *text; text++, x += 6 * scale) {
        int row, col, ch = (unsigned char)*text;
        const char *g = draw_font[ch >= 32 && ch < 127 ? ch - 32 : 31];
        for (row = 0; row < 7; row++) {
            int hi = g[2 * row] - '0', lo = g[2 * row + 1] <= '9' ? g[2 * row + 1] - '0' : g[2 * row + 1] - 'A' + 10;
            for (col = 0; col < 5; col++)
                if ((hi * 16 + lo) >> (4 - col) & 1) draw_rect(c, x + col * scale, y + row * scale, scale, scale, colour);
        }
    }
}

DRAW_FN int draw_text_width(const char *text, int scale) { return 6 * scale * (int)strlen(text); }

/* ---- plots ---- */

typedef struct {
    draw_canvas *c;
    int x, y, w, h;                /* the frame inside the axes, in pixels */
    double x0, x1, y0, y1;         /* data range (logarithms for log axes) */
    int flags, legend;
} draw_plot;

DRAW_FN double draw_px(const draw_plot *p, double v)
{
    if (p->flags & DRAW_LOG_X) v = v > 0 ? log10(v) : -1e300;
    return p->x + p->w * (v - p->x0) / (p->x1 - p->x0);
}
DRAW_FN double draw_py(const draw_plot *p, double v)
{
    if (p->flags & DRAW_LOG_Y) v = v > 0 ? log10(v) : -1e300;
    return p->y + p->h * (p->y1 - v) / (p->y1 - p->y0);
}

/* A step of 1, 2 or 5 times a power of ten that cuts the range into at most `most` pieces. */
DRAW_FN double draw_step(double range, int most)
{
    double s = pow(10.0, floor(log10(range / most)));
    while (range / s > most) s *= range / (2 * s) <= most ? 2 : range / (5 * s) <= most ? 5 : 10;
    return s;
}

DRAW_FN void draw_ticks(draw_plot *p, int vertical)
{
    double lo = vertical ? p->y0 : p->x0, hi = vertical ? p->y1 : p->x1, v, step;
    int log_axis = p->flags & (vertical ? DRAW_LOG_Y : DRAW_LOG_X);
    char text[32];
    step = draw_step(hi - lo, vertical ? p->h / 40 + 2 : p->w / 80 + 1);
    if (log_axis && step < 1) step = 1;
    for (v = ceil(lo / step - 1e-9) * step; v <= hi + 1e-9 * (hi - lo); v += step) {
        double t = (v - lo) / (hi - lo);
        if (fabs(v) < 1e-9 * step) v = 0;
        if (log_axis) snprintf(text, sizeof text, "1e%d", (int)floor(v + 0.5));
        else snprintf(text, sizeof text, "%g", v);
        if (vertical) {
            int y = p->y + (int)(p->h * (1 - t));
            draw_line(p->c, p->x, y, p->x + p->w, y, 0xe6e6e6);
            draw_text(p->c, p->x - 4 - draw_text_width(text, 1), y - 3, 1, 0x404040, text);
        } else {
            int x = p->x + (int)(p->w * t);
            draw_line(p->c, x, p->y, x, p->y + p->h, 0xe6e6e6);
            draw_text(p->c, x - draw_text_width(text, 1) / 2, p->y + p->h + 5, 1, 0x404040, text);
        }
    }
}

/* Axes with ticks and titles in the rectangle (x, y, w, h); the plot to draw curves into. */
DRAW_FN draw_plot draw_axes(draw_canvas *c, int x, int y, int w, int h, double x0, double x1, double y0, double y1, int flags,
                            const char *title, const char *x_label, const char *y_label)
{
    draw_plot p;
    p.c = c;
    p.x = x + 58; p.y = y + 26; p.w = w - 70; p.h = h - 58;
    p.flags = flags;
    p.legend = 0;
    p.x0 = flags & DRAW_LOG_X ? log10(x0 > 0 ? x0 : 1e-12) : x0;
    p.x1 = flags & DRAW_LOG_X ? log10(x1 > 0 ? x1 : 1) : x1;
    p.y0 = flags & DRAW_LOG_Y ? log10(y0 > 0 ? y0 : 1e-12) : y0;
    p.y1 = flags & DRAW_LOG_Y ? log10(y1 > 0 ? y1 : 1) : y1;
    if (!(p.x1 > p.x0)) p.x1 = p.x0 + 1;
    if (!(p.y1 > p.y0)) p.y1 = p.y0 + 1;
    draw_ticks(&p, 0);
    draw_ticks(&p, 1);
    draw_line(c, p.x, p.y, p.x, p.y + p.h, 0);
    draw_line(c, p.x, p.y + p.h, p.x + p.w, p.y + p.h, 0);
    draw_text(c, p.x + (p.w - draw_text_width(title, 1)) / 2, y + 5, 1, 0, title);
    draw_text(c, p.x + (p.w - draw_text_width(x_label, 1)) / 2, y + h - 12, 1, 0, x_label);
    draw_text(c, x + 4, y + 15, 1, 0, y_label);
    return p;
}

DRAW_FN void draw_legend(draw_plot *p, unsigned colour, const char *label)
{
    int y = p->y + 6 + 11 * p->legend;
    if (!label || !*label) return;
    draw_rect(p->c, p->x + p->w - draw_text_width(label, 1) - 22, y + 2, 14, 3, colour);
    draw_text(p->c, p->x + p->w - draw_text_width(label, 1) - 4, y, 1, 0x202020, label);
    p->legend++;
}

/* y against x as a line two pixels thick, clipped to the frame; x NULL = 0, 1, 2, ...; label NULL = not in the legend. */
DRAW_FN void draw_curve(draw_plot *p, size_t n, const double *x, const double *y, unsigned colour, const char *label)
{
    size_t i;
    for (i = 1; i < n; i++) {
        double ax = draw_px(p, x ? x[i - 1] : (double)(i - 1)), ay = draw_py(p, y[i - 1]);
        double bx = draw_px(p, x ? x[i] : (double)i), by = draw_py(p, y[i]);
        double steps = fabs(bx - ax) > fabs(by - ay) ? fabs(bx - ax) : fabs(by - ay), k;
        if (!(steps < 1e5)) continue;
        for (k = 0; k <= steps + 1; k++) {
            double f = k / (steps + 1), px = ax + f * (bx - ax), py = ay + f * (by - ay);
            if (px < p->x || px > p->x + p->w || py < p->y || py > p->y + p->h) continue;
            draw_rect(p->c, (int)px, (int)py, 2, 2, colour);
        }
    }
    draw_legend(p, colour, label);
}

/* Points of `size` pixels; x NULL = 0, 1, 2, ... */
DRAW_FN void draw_points(draw_plot *p, size_t n, const double *x, const double *y, int size, unsigned colour, const char *label)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double px = draw_px(p, x ? x[i] : (double)i), py = draw_py(p, y[i]);
        if (px >= p->x && px <= p->x + p->w && py >= p->y && py <= p->y + p->h)
            draw_rect(p->c, (int)px - size / 2, (int)py - size / 2, size, size, colour);
    }
    draw_legend(p, colour, label);
}

/* Smallest and largest finite value, widened a little for axes. */
DRAW_FN void draw_range(size_t n, const double *v, double *lo, double *hi)
{
    size_t i;
    int any = 0;
    for (i = 0; i < n; i++) {
        if (!(fabs(v[i]) < 1e300)) continue;
        if (!any || v[i] < *lo) *lo = v[i];
        if (!any || v[i] > *hi) *hi = v[i];
        any = 1;
    }
    if (!any) { *lo = 0; *hi = 1; }
    if (*hi == *lo) { *hi += 1; *lo -= 1; }
}

/* ---- progress bar: env.progress = draw_progress; env.progress_user = &bar; ---- */

typedef struct { const char *label; double start, shown; } draw_bar; /* shown: when last; 0 = there is nothing on the line */

DRAW_FN double draw_seconds(void)
{
#ifdef TIME_UTC
    struct timespec t;
    if (timespec_get(&t, TIME_UTC) == TIME_UTC) return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
    return (double)time(NULL); /* C99: whole seconds */
}

/* Wipes the line of the bar, before other output. */
DRAW_FN void draw_progress_end(draw_bar *b)
{
    if (b->shown > 0) { fprintf(stderr, "\r%78s\r", ""); fflush(stderr); }
    b->shown = 0;
}

/* Has the type nrx_progress_fn: one line on stderr with a bar, the value and the remaining time, at most ten times a second; nothing
   when stderr is not a terminal. */
DRAW_FN int draw_progress(void *user, size_t done, size_t total, double value)
{
    draw_bar *b = (draw_bar *)user;
    double now = draw_seconds(), left;
    int i, fill;
    if (b->start == 0) b->start = now;
    if ((done < total && now - b->shown < 0.1) || !DRAW_TERMINAL()) return 0;
    b->shown = now;
    fill = total ? (int)(24 * done / total) : 24;
    left = done ? (now - b->start) / (double)done * (double)(total - done) : 0;
    fprintf(stderr, "\r%-14s [", b->label ? b->label : "");
    for (i = 0; i < 24; i++) fputc(i < fill ? '#' : '.', stderr);
    fprintf(stderr, "] %3d%%  %-11.5g %4.0f s left ", (int)(total ? 100 * done / total : 100), value, left);
    fflush(stderr);
    if (done >= total) { draw_progress_end(b); b->start = 0; }
    return 0;
}

#endif
