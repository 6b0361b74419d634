import java.lang.reflect.Method;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;

/**
 * Runs the node of a search engine as whoever calls it. The engines' own scripts do no more than this, but refuse root.
 *
 * <p>usage: java -cp 'ENGINE/lib/*' Node.java org.opensearch|org.elasticsearch ENGINE CONFIGURATION
 */
public final class Node {
  public static void main(String[] arguments) throws Exception {
    String product = arguments[0];
    Class<?> settings = Class.forName(product + ".common.settings.Settings");
    Method prepare = Class.forName(product + ".node.InternalSettingsPreparer")
        .getMethod("prepareEnvironment", settings, Map.class, Path.class, Supplier.class);
    Supplier<String> name = () -> "node";
    Object environment = prepare.invoke(
        null, settings.getField("EMPTY").get(null), Map.of("path.home", arguments[1]), Paths.get(arguments[2]), name);
    Class<?> kind = Class.forName(product + ".node.Node");
    Object node = kind.getConstructor(environment.getClass()).newInstance(environment);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(kind, node)));
    kind.getMethod("start").invoke(node);
    new CountDownLatch(1).await();
  }

  private static void close(Class<?> kind, Object node) {
    try {
      kind.getMethod("close").invoke(node);
    } catch (ReflectiveOperationException failed) {
      failed.printStackTrace();
    }
  }
}
