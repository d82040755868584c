/** ActiveMQ as the tests run it: loopback only, every persistent message synced to disk before its RECEIPT. */

export const ACTIVEMQ_XML = `<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <bean class="org.springframework.beans.factory.config.PropertyPlaceholderConfigurer"/>
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="headgear-test" useJmx="false" persistent="true"
          dataDirectory="\${activemq.base}/data" schedulerSupport="false" advisorySupport="false">
    <destinationPolicy><policyMap><policyEntries>
      <policyEntry queue="&gt;" producerFlowControl="false" useCache="false">
        <deadLetterStrategy><individualDeadLetterStrategy queuePrefix="DLQ." processNonPersistent="true"/></deadLetterStrategy>
      </policyEntry>
    </policyEntries></policyMap></destinationPolicy>
    <persistenceAdapter>
      <kahaDB directory="\${activemq.base}/data/kahadb" enableJournalDiskSyncs="true" journalDiskSyncStrategy="always"
              checksumJournalFiles="true" checkForCorruptJournalFiles="true"/>
    </persistenceAdapter>
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="1 gb"/></storeUsage>
      <tempUsage><tempUsage limit="256 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:\${stomp.port}?transport.hbGracePeriodMultiplier=1.5&amp;wireFormat.maxDataLength=104857600"/>
    </transportConnectors>
  </broker>
</beans>
`;

export const LOG4J_PROPERTIES = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %m%n
`;
