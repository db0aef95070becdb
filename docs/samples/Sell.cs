// Sell, wait for KRA's signature, print the receipt. .NET 8 and nothing else.
//
//   dotnet run -- REFERENCE [ITEM]       a sale of one ITEM
//   dotnet run -- --credit REFERENCE     gives all of that sale back
//
// ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE come from the environment (`. .local/demo.env`).
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

const int Polls = 30; // every two seconds
double[] pauses = [0.5, 1, 2, 4, 8, 15, 15, 15];

string Setting(string name) =>
    Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");

// Longer than the wait asked for, or the till gives up on an answer under way.
using var http = new HttpClient { BaseAddress = new Uri(Setting("ETIMS_URL")), Timeout = TimeSpan.FromSeconds(20) };
http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Token", Setting("ETIMS_TOKEN"));

// Lost answers, time-outs, 429 and 5xx: exactly the same request again, the same reference.
async Task<string> Repeat(HttpMethod method, string path, string? body = null, string accept = "application/json")
{
    foreach (var pause in pauses)
    {
        string trouble;
        try
        {
            using var request = new HttpRequestMessage(method, path);
            request.Headers.Accept.ParseAdd(accept);
            if (body is not null)
            {
                request.Content = new StringContent(body, Encoding.UTF8, "application/json");
                request.Headers.Add("Prefer", "wait=10");
            }
            using var answer = await http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            if (answer.IsSuccessStatusCode) return text;
            var status = (int)answer.StatusCode;
            if (status < 500 && status != 429) throw new Refused(text);
            trouble = $"{status}: {text[..Math.Min(200, text.Length)]}";
        }
        catch (Exception problem) when (problem is HttpRequestException or TaskCanceledException or IOException)
        {
            trouble = problem.Message;
        }
        Console.Error.WriteLine($"Trying again: {trouble}");
        await Task.Delay(TimeSpan.FromSeconds(pause));
    }
    throw new TimeoutException("No answer. The sale may be stored: keep it and send the same again later.");
}

// The text is built once: a repeat with another time or price would be another sale.
async Task<JsonNode> Post(string path, object document) =>
    JsonNode.Parse(await Repeat(HttpMethod.Post, path, JsonSerializer.Serialize(document)))!;

bool IsOpen(JsonNode sale) => (string)sale["status"]! is "queued" or "sending" or "unknown";

// 201, 202 and 200 all carry the sale; only `status` says how far it is.
async Task<JsonNode> Settle(JsonNode sale)
{
    for (var poll = 0; poll < Polls && IsOpen(sale); poll++)
    {
        Console.Error.WriteLine($"{sale["status"]}; for the buyer: {sale["links"]!["public"]}");
        await Task.Delay(TimeSpan.FromSeconds(2));
        sale = JsonNode.Parse(await Repeat(HttpMethod.Get, (string)sale["links"]!["self"]!))!;
    }
    return sale;
}

async Task<int> Finish(JsonNode stored)
{
    var sale = await Settle(stored);
    if ((string)sale["status"]! == "signed")
    {
        // The print_id makes a repeat of this request the same print, not a copy.
        var path = $"{sale["links"]!["receipt"]}?print_id=original-{sale["id"]}";
        Console.WriteLine(await Repeat(HttpMethod.Get, path, accept: "text/plain"));
        return 0;
    }
    Console.Error.WriteLine($"{sale["status"]}: {sale["trouble"]?["cause"]} {sale["trouble"]?["next_step"]}");
    return 2; // stored, but not signed
}

try
{
    var device = Setting("ETIMS_DEVICE");
    if (args.Length == 0)
    {
        throw new Refused("dotnet run -- [--credit] REFERENCE");
    }
    if (args[0] == "--credit")
    {
        var original = args[1];
        var note = new { device, reference = $"{original}-CN", original, reason = "refund" };
        return await Finish(await Post("/api/credit-notes/", note));
    }
    var lines = new[] { new { item = args.Length > 1 ? args[1] : "KETTLE", quantity = "1" } };
    var sale = new { device, reference = args[0], payment_method = "mobile_money", lines };
    return await Finish(await Post("/api/sales/", sale));
}
catch (Refused problem)
{
    Console.Error.WriteLine(problem.Message); // sending the same again does not help
    return 1;
}
catch (TimeoutException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 3;
}

/// <summary>The request is wrong.</summary>
class Refused(string message) : Exception(message);
