import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** Asks a directory and a region as a JDK does by default: with an offer of HTTP/2. */
class JdkClient {
  public static void main(String[] urls) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (String url : urls) {
      say(client, HttpRequest.newBuilder(URI.create(url + "/healthz")).build());
      say(client, HttpRequest.newBuilder(URI.create(url + "/healthz")).build());
    }
    URI key = URI.create(urls[1] + "/cache/jdk");
    say(client, HttpRequest.newBuilder(key).PUT(BodyPublishers.ofString("from a JDK")).build());
    say(client, HttpRequest.newBuilder(key).build());
  }

  private static void say(HttpClient client, HttpRequest request) throws Exception {
    HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
    String body = answer.body().length() > 40 ? "…" : answer.body();
    System.out.println(answer.statusCode() + " " + answer.version() + " " + body);
  }
}
